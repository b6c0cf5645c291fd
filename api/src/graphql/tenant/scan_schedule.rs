//! When a tenant is scanned by itself; the mutations `scheduleScan` and `unscheduleScan`.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::scan_schedule::{self, Column, Rhythm};
use entity::tenant;
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, IntoActiveModel, ModelTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Tenant, lock_connected};
use crate::graphql::member::Member;
use crate::graphql::operation::Operation;
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, find_row, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// When a tenant is scanned by itself.
pub struct ScanSchedule(scan_schedule::Model);

/// When a tenant is scanned by itself: by a cron expression or at an interval, each tenant a little later than it says,
/// always by the same, so that not all begin at once. Needs the role `VIEWER`, or the scope `inventory:read`.
#[Object(name = "ScanSchedule")]
impl ScanSchedule {
    /// A cron expression of five fields, in UTC; null: it has an interval.
    async fn cron(&self) -> Option<&str> {
        self.0.cron.as_deref()
    }

    /// Minutes from one scan to the next; null: it has an expression.
    async fn every_minutes(&self) -> Option<i32> {
        self.0.every_minutes
    }

    /// When the next scan begins, if the tenant is connected then and not being scanned.
    async fn next_at(&self) -> DateTime {
        self.0.next_at.into()
    }

    /// The last scan that it began.
    async fn last_operation(&self, ctx: &Context<'_>) -> Option<Operation> {
        let id = self.0.last_operation_id?;
        or_null(ctx, async { find_row(Scope::of(ctx, Permission::ReadOperations)?, id).await }.await)
    }

    /// The member who scheduled it, and in whose name the scans are, also after the member was removed; null if you may
    /// not read members.
    async fn member(&self, ctx: &Context<'_>) -> Option<Member> {
        or_null(
            ctx,
            async { find_row(Scope::of(ctx, Permission::ReadMembers)?, self.0.member_id).await }.await,
        )
    }
}

/// The schedules of tenants that have one.
pub async fn of_tenants(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, ScanSchedule>, DbErr> {
    let rows = scope.owned::<scan_schedule::Entity>().filter(Column::TenantId.is_in(ids));
    let rows = rows.all(scope.database()).await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id, ScanSchedule(row))).collect())
}

/// Which tenant is scanned, and when: exactly one of `cron` and `everyMinutes` is given.
#[derive(InputObject)]
#[graphql(name = "ScheduleScanInput")]
pub struct ScheduleScanInput {
    /// The tenant.
    tenant_id: ID,
    /// A cron expression of five fields, in UTC: `30 2 * * *` is every night at half past two.
    cron: Option<String>,
    /// Minutes from one scan to the next: 15 to 44640.
    every_minutes: Option<i32>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// Which tenant is not scanned by itself any more.
#[derive(InputObject)]
#[graphql(name = "UnscheduleScanInput")]
pub struct UnscheduleScanInput {
    /// The tenant.
    tenant_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The tenant with its schedule as it is now, or why nothing was changed.
#[derive(SimpleObject)]
#[graphql(name = "ScanSchedulePayload")]
pub struct ScanSchedulePayload {
    /// The tenant.
    tenant: Option<Tenant>,
    /// Why nothing was changed.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutations of this file.
#[derive(Default)]
pub struct ScheduleScan;

#[Object(name = "ScheduleScanMutation")]
impl ScheduleScan {
    /// Lets a tenant be scanned by itself, instead of as it was scheduled before. A turn that is missed because nothing
    /// ran is made up for once; one at which the tenant is being scanned, or is not connected, is left out.
    /// Needs the role `EDITOR`, or the scope `inventory:scan`.
    /// `userErrors`: `NOT_FOUND`, `NOT_CONNECTED`, `INVALID_SCHEDULE`.
    async fn schedule_scan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant, and when.")] input: ScheduleScanInput,
    ) -> Option<ScanSchedulePayload> {
        payload(ctx, schedule(ctx, &input).await, input.client_mutation_id)
    }

    /// Lets a tenant not be scanned by itself any more.
    /// Needs the role `EDITOR`, or the scope `inventory:scan`.
    /// `userErrors`: `NOT_FOUND`.
    async fn unschedule_scan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tenant.")] input: UnscheduleScanInput,
    ) -> Option<ScanSchedulePayload> {
        payload(ctx, unschedule(ctx, &input.tenant_id).await, input.client_mutation_id)
    }
}

fn payload(
    ctx: &Context<'_>,
    outcome: Outcome<tenant::Model>,
    client_mutation_id: Option<String>,
) -> Option<ScanSchedulePayload> {
    or_null(
        ctx,
        outcome.map(|outcome| {
            let (tenant, user_errors) = halves(outcome);
            Some(ScanSchedulePayload { tenant: tenant.and_then(object), user_errors, client_mutation_id })
        }),
    )
}

async fn schedule(ctx: &Context<'_>, input: &ScheduleScanInput) -> Outcome<tenant::Model> {
    let scope = Scope::of(ctx, Permission::ScanInventory)?;
    let tenant_id = Tenant::KIND.row(&input.tenant_id)?;
    let invalid =
        |field, message: String| Ok(Err(UserError::new(UserErrorCode::InvalidSchedule, field, message)));
    let now = scope.services.clock.now();
    let rhythm = match (&input.cron, input.every_minutes) {
        (Some(cron), None) => Rhythm::cron(cron, now).map_err(|error| ("cron", error)),
        (None, Some(minutes)) => Rhythm::every(minutes).map_err(|error| ("everyMinutes", error)),
        _ => return invalid("cron", "Give a cron expression or an interval, and not both.".to_owned()),
    };
    match rhythm {
        Ok(rhythm) => store(scope, tenant_id, input, &rhythm).await.map_err(|error| internal(&error)),
        Err((field, error)) => invalid(field, error.to_string()),
    }
}

async fn store(
    scope: Scope<'_>,
    tenant_id: Uuid,
    input: &ScheduleScanInput,
    rhythm: &Rhythm,
) -> Result<Result<tenant::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let tenant = match lock_connected(scope, tenant_id, &transaction).await? {
        Ok(tenant) => tenant,
        Err(error) => return Ok(Err(error)),
    };
    let found = scope.owned::<scan_schedule::Entity>().filter(Column::TenantId.eq(tenant_id));
    let before = found.one(&transaction).await?;
    let is_same =
        |row: &scan_schedule::Model| row.cron == input.cron && row.every_minutes == input.every_minutes;
    if before.as_ref().is_some_and(is_same) {
        return Ok(Ok(tenant));
    }
    let now = scope.services.clock.now();
    let row = scan_schedule::Model {
        id: before.as_ref().map_or_else(Uuid::now_v7, |row| row.id),
        organization_id: scope.viewer.organization_id,
        tenant_id,
        member_id: scope.viewer.member_id,
        cron: input.cron.clone(),
        every_minutes: input.every_minutes,
        next_at: rhythm.next(tenant_id, now),
        last_operation_id: before.as_ref().and_then(|row| row.last_operation_id),
        updated_at: now,
    };
    let record = Record::of(Action::ScanScheduled, ObjectKind::Tenant, tenant_id)
        .before(before.as_ref().map_or(Value::Null, told))
        .after(told(&row));
    let row = row.into_active_model().reset_all();
    if before.is_some() {
        row.update(&transaction).await?;
    } else {
        row.insert(&transaction).await?;
    }
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok(Ok(tenant))
}

async fn unschedule(ctx: &Context<'_>, tenant_id: &ID) -> Outcome<tenant::Model> {
    let scope = Scope::of(ctx, Permission::ScanInventory)?;
    remove(scope, Tenant::KIND.row(tenant_id)?).await.map_err(|error| internal(&error))
}

async fn remove(scope: Scope<'_>, tenant_id: Uuid) -> Result<Result<tenant::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let tenant = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(tenant_id));
    let Some(tenant) = tenant.one(&transaction).await? else {
        let message = "There is no such tenant in your organization.";
        return Ok(Err(UserError::new(UserErrorCode::NotFound, "tenantId", message)));
    };
    let found = scope.owned::<scan_schedule::Entity>().filter(Column::TenantId.eq(tenant_id));
    if let Some(row) = found.one(&transaction).await? {
        let record = Record::of(Action::ScanUnscheduled, ObjectKind::Tenant, tenant_id).before(told(&row));
        row.delete(&transaction).await?;
        scope.audit(&transaction, record).await?;
    }
    transaction.commit().await?;
    Ok(Ok(tenant))
}

fn told(row: &scan_schedule::Model) -> Value {
    json!({ "cron": row.cron, "everyMinutes": row.every_minutes })
}
