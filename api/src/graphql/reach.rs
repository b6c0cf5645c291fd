//! Reach: what a member, an invitation or an access token is limited to.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Enum, ID, InputObject, Result, SimpleObject};
use entity::{reach, subscription, tenant};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Set,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::batch::Batch;
use super::ids::Kind;
use super::pager::check_length;
use super::scope::Scope;
use super::user_error::{UserError, UserErrorCode};

/// How far somebody reaches.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ReachExtent")]
pub enum ReachExtent {
    /// To every tenant and subscription, future ones included.
    Everything,
    /// To the tenants and subscriptions that are named.
    Limited,
}

/// What somebody reaches.
#[derive(SimpleObject)]
#[graphql(name = "Reach")]
pub struct Reach {
    /// How far.
    extent: ReachExtent,
    /// The tenants with all their subscriptions, future ones included.
    tenant_ids: Vec<ID>,
    /// Single subscriptions of other tenants.
    subscription_ids: Vec<ID>,
}

/// What somebody is to reach.
#[derive(InputObject)]
#[graphql(name = "ReachInput")]
pub struct ReachInput {
    /// How far.
    extent: ReachExtent,
    /// If limited: tenants with all their subscriptions, future ones included.
    #[graphql(default)]
    tenant_ids: Vec<ID>,
    /// If limited: single subscriptions.
    #[graphql(default)]
    subscription_ids: Vec<ID>,
}

/// What somebody is limited to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub tenants: Vec<Uuid>,
    pub subscriptions: Vec<Uuid>,
}

/// How far somebody is to reach.
pub enum Asked {
    Everything,
    Limited(Limits),
}

impl Asked {
    /// The limits, if there are any.
    pub fn limits(&self) -> Option<&Limits> {
        match self {
            Self::Everything => None,
            Self::Limited(limits) => Some(limits),
        }
    }
}

impl ReachInput {
    /// How far somebody is to reach, unless that contradicts itself.
    pub fn asked(&self) -> Result<Result<Asked, UserError>> {
        let unclear = |message: &str| Ok(Err(UserError::new(UserErrorCode::InvalidReach, "reach", message)));
        let limits = Limits::named(Some(&self.tenant_ids), Some(&self.subscription_ids))?;
        match self.extent {
            ReachExtent::Everything if limits != Limits::default() => unclear(
                "Who reaches everything is limited to nothing: leave the lists empty, or say LIMITED.",
            ),
            ReachExtent::Everything => Ok(Ok(Asked::Everything)),
            ReachExtent::Limited if limits == Limits::default() => {
                unclear("Name at least one tenant or subscription: without any, nothing could be seen.")
            }
            ReachExtent::Limited => Ok(Ok(Asked::Limited(limits))),
        }
    }
}

impl Limits {
    /// The limits that ids name.
    pub fn named(tenants: Option<&[ID]>, subscriptions: Option<&[ID]>) -> Result<Self> {
        let rows = |kind: Kind, argument: &str, ids: Option<&[ID]>| {
            let ids = ids.unwrap_or_default();
            check_length(argument, ids)?;
            let mut rows = kind.rows(ids)?;
            rows.sort_unstable();
            rows.dedup();
            Ok::<_, async_graphql::Error>(rows)
        };
        Ok(Self {
            tenants: rows(Kind::Tenant, "tenantIds", tenants)?,
            subscriptions: rows(Kind::Subscription, "subscriptionIds", subscriptions)?,
        })
    }

    /// Whether the viewer's organization has all of them.
    pub async fn exist(&self, scope: Scope<'_>, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
        let tenants = scope.owned::<tenant::Entity>();
        let tenants = tenants.filter(tenant::Column::Id.is_in(self.tenants.iter().copied()));
        let subscriptions = scope.owned::<subscription::Entity>();
        let subscriptions =
            subscriptions.filter(subscription::Column::Id.is_in(self.subscriptions.iter().copied()));
        Ok(tenants.count(transaction).await? == self.tenants.len() as u64
            && subscriptions.count(transaction).await? == self.subscriptions.len() as u64)
    }
}

/// Replaces what `holder` is limited to.
pub async fn store(
    scope: Scope<'_>,
    holder: Uuid,
    limits: Option<&Limits>,
    transaction: &DatabaseTransaction,
) -> Result<(), DbErr> {
    let organization_id = scope.viewer.organization_id;
    reach::Entity::delete_many()
        .filter(reach::Column::OrganizationId.eq(organization_id))
        .filter(reach::Column::HolderId.eq(holder))
        .exec(transaction)
        .await?;
    let Some(limits) = limits else { return Ok(()) };
    let mut reached: Vec<(Uuid, Option<Uuid>)> =
        limits.tenants.iter().map(|tenant| (*tenant, None)).collect();
    if !limits.subscriptions.is_empty() {
        let found = scope
            .owned::<subscription::Entity>()
            .filter(subscription::Column::Id.is_in(limits.subscriptions.iter().copied()))
            .select_only()
            .columns([subscription::Column::TenantId, subscription::Column::Id])
            .into_tuple::<(Uuid, Uuid)>();
        let found = found.all(transaction).await?;
        reached.extend(found.into_iter().map(|(tenant, subscription)| (tenant, Some(subscription))));
    }
    let rows = reached.into_iter().map(|(tenant_id, subscription_id)| reach::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(organization_id),
        holder_id: Set(holder),
        tenant_id: Set(tenant_id),
        subscription_id: Set(subscription_id),
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        reach::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// What the audit is told of somebody's reach; null: everything.
pub fn told(limits: Option<&Limits>) -> Value {
    let Some(limits) = limits else { return Value::Null };
    let tenants = limits.tenants.iter().map(|id| Kind::Tenant.id(*id));
    let subscriptions = limits.subscriptions.iter().map(|id| Kind::Subscription.id(*id));
    json!({ "tenants": tenants.collect::<Vec<_>>(), "subscriptions": subscriptions.collect::<Vec<_>>() })
}

/// What the holders of a page are limited to, read for all of them at once.
pub type Reaches = Batch<Arc<Vec<reach::Model>>>;

/// What `holder`, one of `reaches`, reaches.
pub async fn of(scope: Scope<'_>, reaches: &Reaches, holder: Uuid, limited: bool) -> Result<Reach> {
    if !limited {
        return Ok(Reach {
            extent: ReachExtent::Everything,
            tenant_ids: Vec::new(),
            subscription_ids: Vec::new(),
        });
    }
    let rows = reaches.get(holder, |holders| read(scope, holders)).await?.cloned().unwrap_or_default();
    let singles = rows.iter().filter_map(|row| row.subscription_id);
    let wholes = rows.iter().filter(|row| row.subscription_id.is_none());
    Ok(Reach {
        extent: ReachExtent::Limited,
        tenant_ids: wholes.map(|row| Kind::Tenant.id(row.tenant_id)).collect(),
        subscription_ids: singles.map(|id| Kind::Subscription.id(id)).collect(),
    })
}

async fn read(scope: Scope<'_>, holders: Vec<Uuid>) -> Result<HashMap<Uuid, Arc<Vec<reach::Model>>>, DbErr> {
    // Everybody in the organization may know how far the others reach: `within` would show only one's own.
    let rows = <reach::Entity as entity::Owned>::owned_by(scope.viewer.organization_id)
        .filter(reach::Column::HolderId.is_in(holders))
        .all(scope.database())
        .await?;
    let mut found = HashMap::<Uuid, Vec<reach::Model>>::new();
    for row in rows {
        found.entry(row.holder_id).or_default().push(row);
    }
    Ok(found.into_iter().map(|(holder, rows)| (holder, Arc::new(rows))).collect())
}
