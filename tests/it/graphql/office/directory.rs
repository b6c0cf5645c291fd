//! A tenant that is connected to Office 365, whose rows a test stores one by one.

use std::collections::BTreeMap;

use anyhow::Result;
use api::viewer::Viewer;
use chrono::{Days, NaiveDate};
use entity::office::connection::{self, Permissions};
use entity::office::feed::{self, Kind, State};
use entity::office::{
    Figures, active_users, assigned_licence, fold, group, membership, purchased_licence, report, report_row,
    user,
};
use entity::tenant;
use sea_orm::{ActiveModelTrait, Set};
use uuid::Uuid;

use crate::graphql::stage::Stage;

/// What a tenant grants at least.
pub const GRANTED: [&str; 3] = ["Group.Read.All", "Reports.Read.All", "User.Read.All"];

/// A tenant that is connected to Office 365.
pub struct Directory<'a> {
    pub stage: &'a Stage,
    pub tenant: tenant::Model,
}

impl<'a> Directory<'a> {
    /// A new tenant, which grants these permissions; none: it was not looked yet.
    pub async fn connect(stage: &'a Stage, viewer: Viewer, granted: Option<&[&str]>) -> Result<Self> {
        let tenant = stage.tenant(viewer).await?;
        Self::of(stage, viewer, tenant, granted).await
    }

    pub async fn of(
        stage: &'a Stage,
        viewer: Viewer,
        tenant: tenant::Model,
        granted: Option<&[&str]>,
    ) -> Result<Self> {
        let connection = connection::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(tenant.organization_id),
            tenant_id: Set(tenant.id),
            member_id: Set(viewer.member_id),
            permissions: Set(
                granted.map(|names| Permissions(names.iter().map(|name| (*name).to_owned()).collect()))
            ),
            permissions_read_at: Set(granted.map(|_| stage.clock.now())),
            conceals_names: Set(None),
            next_load_at: Set(Some(stage.clock.now())),
            created_at: Set(stage.clock.now()),
        };
        connection.insert(&stage.database).await?;
        Ok(Self { stage, tenant })
    }

    pub fn id(&self) -> String {
        format!("tenant:{}", self.tenant.id)
    }

    /// The day so many days ago.
    pub fn ago(&self, days: u64) -> NaiveDate {
        self.stage.clock.now().date_naive() - Days::new(days)
    }

    /// A user who was made three years ago, in no department, except for what `change` changes.
    pub async fn user(&self, name: &str, change: impl FnOnce(&mut user::Model)) -> Result<user::Model> {
        let now = self.stage.clock.now();
        let entra_user_id = Uuid::new_v4();
        let mut row = user::Model {
            id: user::id_of(self.tenant.id, entra_user_id),
            organization_id: self.tenant.organization_id,
            tenant_id: self.tenant.id,
            entra_user_id,
            display_name: name.to_owned(),
            principal_name: format!("{name}@contoso.example"),
            folded_name: fold(&format!("{name}@contoso.example")),
            mail: None,
            is_enabled: true,
            is_guest: false,
            department: None,
            usage_location: None,
            entra_created_at: Some(now - chrono::TimeDelta::days(1000)),
            last_sign_in_at: None,
            licence_count: 0,
            round: 1,
            first_seen_at: now,
            changed_at: now,
            deleted_at: None,
        };
        change(&mut row);
        let row: user::ActiveModel = row.into();
        Ok(row.reset_all().insert(&self.stage.database).await?)
    }

    pub async fn licence(&self, user: &user::Model, sku_id: Uuid) -> Result<()> {
        let row = assigned_licence::ActiveModel {
            id: Set(assigned_licence::id_of(user.id, sku_id)),
            organization_id: Set(self.tenant.organization_id),
            tenant_id: Set(self.tenant.id),
            user_id: Set(user.id),
            sku_id: Set(sku_id),
        };
        row.insert(&self.stage.database).await?;
        Ok(())
    }

    pub async fn purchased(&self, sku_id: Uuid, part_number: &str, enabled: i64) -> Result<()> {
        let row = purchased_licence::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(self.tenant.organization_id),
            tenant_id: Set(self.tenant.id),
            sku_id: Set(sku_id),
            part_number: Set(part_number.to_owned()),
            capability_status: Set("Enabled".to_owned()),
            is_per_user: Set(true),
            enabled: Set(enabled),
            suspended: Set(0),
            warning: Set(0),
            consumed: Set(1),
            read_at: Set(self.stage.clock.now()),
        };
        row.insert(&self.stage.database).await?;
        Ok(())
    }

    pub async fn group(&self, name: &str, kind: group::Kind, member_count: i64) -> Result<group::Model> {
        let now = self.stage.clock.now();
        let entra_group_id = Uuid::new_v4();
        let row = group::ActiveModel {
            id: Set(group::id_of(self.tenant.id, entra_group_id)),
            organization_id: Set(self.tenant.organization_id),
            tenant_id: Set(self.tenant.id),
            entra_group_id: Set(entra_group_id),
            display_name: Set(name.to_owned()),
            kind: Set(kind),
            is_mail_enabled: Set(false),
            is_security_enabled: Set(true),
            membership_rule: Set(None),
            entra_created_at: Set(None),
            member_count: Set(member_count),
            round: Set(1),
            first_seen_at: Set(now),
            changed_at: Set(now),
            deleted_at: Set(None),
        };
        Ok(row.insert(&self.stage.database).await?)
    }

    pub async fn member(&self, group: &group::Model, member: Uuid, kind: membership::Kind) -> Result<()> {
        let row = membership::ActiveModel {
            id: Set(membership::id_of(group.id, member)),
            organization_id: Set(self.tenant.organization_id),
            tenant_id: Set(self.tenant.id),
            group_id: Set(group.id),
            member_id: Set(member),
            kind: Set(kind),
            round: Set(1),
        };
        row.insert(&self.stage.database).await?;
        Ok(())
    }

    pub async fn feed(&self, kind: Kind, period: i32, change: impl FnOnce(&mut feed::Model)) -> Result<()> {
        let now = self.stage.clock.now();
        let mut row = feed::Model {
            id: feed::id_of(self.tenant.id, kind, period),
            organization_id: self.tenant.organization_id,
            tenant_id: self.tenant.id,
            kind,
            period,
            operation_id: None,
            state: State::Loaded,
            link: None,
            is_complete: true,
            round: 1,
            rows_read: 0,
            rows_refused: 0,
            refused: None,
            failure: None,
            etag: None,
            report_id: None,
            load_id: None,
            loaded_at: Some(now),
            updated_at: now,
        };
        change(&mut row);
        let row: feed::ActiveModel = row.into();
        row.reset_all().insert(&self.stage.database).await?;
        Ok(())
    }

    /// A report, which no feed names.
    pub async fn report(
        &self,
        kind: Kind,
        period: i32,
        refreshed_on: NaiveDate,
        conceals_names: Option<bool>,
        totals: &[(&str, i64)],
    ) -> Result<report::Model> {
        let totals: BTreeMap<_, _> =
            totals.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let row = report::ActiveModel {
            id: Set(report::id_of(self.tenant.id, kind, period, refreshed_on)),
            organization_id: Set(self.tenant.organization_id),
            tenant_id: Set(self.tenant.id),
            kind: Set(kind),
            period: Set(period),
            refreshed_on: Set(refreshed_on),
            fetched_at: Set(self.stage.clock.now()),
            rows: Set(3),
            refused: Set(0),
            conceals_names: Set(conceals_names),
            totals: Set(Some(Figures(totals))),
        };
        Ok(row.insert(&self.stage.database).await?)
    }

    /// A report that is the current one, two days old, and its load.
    pub async fn current(
        &self,
        kind: Kind,
        period: i32,
        conceals_names: Option<bool>,
        totals: &[(&str, i64)],
    ) -> Result<Uuid> {
        let report = self.report(kind, period, self.ago(2), conceals_names, totals).await?;
        let load_id = Uuid::now_v7();
        self.feed(kind, period, |feed| {
            feed.report_id = Some(report.id);
            feed.load_id = Some(load_id);
        })
        .await?;
        Ok(load_id)
    }

    /// A row of a report: of nothing that was ever active, except for what `change` changes.
    pub async fn row(
        &self,
        kind: Kind,
        load_id: Uuid,
        name: &str,
        change: impl FnOnce(&mut report_row::Model),
    ) -> Result<()> {
        let mut row = report_row::Model {
            id: Uuid::now_v7(),
            organization_id: self.tenant.organization_id,
            tenant_id: self.tenant.id,
            feed_id: feed::id_of(self.tenant.id, kind, 180),
            load_id,
            name: name.to_owned(),
            folded_name: fold(name),
            display_name: None,
            is_deleted: false,
            active_on: None,
            exchange_on: None,
            onedrive_on: None,
            sharepoint_on: None,
            teams_on: None,
            yammer_on: None,
            skype_on: None,
            used_bytes: None,
            quota_bytes: None,
            details: None,
        };
        change(&mut row);
        let row: report_row::ActiveModel = row.into();
        row.reset_all().insert(&self.stage.database).await?;
        Ok(())
    }

    pub async fn day(&self, day: NaiveDate, refreshed_on: NaiveDate, teams: Option<i64>) -> Result<()> {
        let row = active_users::ActiveModel {
            id: Set(active_users::id_of(self.tenant.id, day)),
            organization_id: Set(self.tenant.organization_id),
            tenant_id: Set(self.tenant.id),
            day: Set(day),
            refreshed_on: Set(refreshed_on),
            office_365: Set(Some(5)),
            exchange: Set(None),
            onedrive: Set(None),
            sharepoint: Set(None),
            skype: Set(None),
            yammer: Set(None),
            teams: Set(teams),
        };
        row.insert(&self.stage.database).await?;
        Ok(())
    }
}
