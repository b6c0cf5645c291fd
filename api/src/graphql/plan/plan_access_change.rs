//! The query `planAccessChange`: what a change of the access level will do.

use async_graphql::{Context, ID, Object, Result};
use entity::{organization, subscription};
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use uuid::Uuid;
use worker::plan::{Aim, Extent};
use worker::window::READ;

use super::{Draft, Plan, draw};
use crate::error::ErrorCode;
use crate::graphql::consent::open_windows;
use crate::graphql::ids::Kind;
use crate::graphql::pager::check_length;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::subscription::AccessLevel;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct PlanAccessChange;

#[Object(name = "PlanAccessChangeQuery")]
impl PlanAccessChange {
    /// What a change of the access level will do about each subscription, which calls that takes and how long; null
    /// if there is no such subscription. While a consent window of the tenant is open, Azure is asked in the
    /// consenting user's name, for a few seconds at most, and nothing is changed there; each call is in the
    /// consent's receipt. That needs the role `EDITOR`, or the scope `consents:write`; whoever lacks it is told what
    /// is known. Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn plan_access_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscriptions, all of one tenant; at most 500.")] subscription_ids: Vec<ID>,
        #[graphql(desc = "The level that each of them is to have; `NONE` is what a disconnection comes to.")]
        level: AccessLevel,
    ) -> Option<Plan> {
        or_null(ctx, plan(ctx, &subscription_ids, level).await)
    }
}

async fn plan(ctx: &Context<'_>, ids: &[ID], level: AccessLevel) -> Result<Option<Plan>> {
    let scope = Scope::of(ctx, Permission::ReadInventory)?;
    check_length("subscriptionIds", ids)?;
    if ids.is_empty() {
        return Err(ErrorCode::BadInput.error("Give at least one subscription."));
    }
    if level == AccessLevel::None {
        return Err(ErrorCode::BadInput
            .error("NONE is no level to change to: disconnect the tenant to give up all access."));
    }
    let mut ids = Kind::Subscription.rows(ids)?;
    ids.sort_unstable();
    ids.dedup();
    let found = subscriptions(scope, &ids).await.map_err(|error| internal(&error))?;
    let Some(tenant_id) = found.first().map(|one| one.tenant_id).filter(|_| found.len() == ids.len()) else {
        return Ok(None);
    };
    if found.iter().any(|one| one.tenant_id != tenant_id) {
        return Err(ErrorCode::BadInput.error(
            "The subscriptions are of several tenants, and a consent is of one. Plan for each alone.",
        ));
    }
    let draft = draft(scope, tenant_id, found, level).await.map_err(|error| internal(&error))?;
    draw(ctx, scope, draft).await.map(Some)
}

async fn subscriptions(scope: Scope<'_>, ids: &[Uuid]) -> Result<Vec<subscription::Model>, DbErr> {
    let named =
        scope.owned::<subscription::Entity>().filter(subscription::Column::Id.is_in(ids.iter().copied()));
    named.all(scope.database()).await
}

async fn draft(
    scope: Scope<'_>,
    tenant_id: Uuid,
    subscriptions: Vec<subscription::Model>,
    level: AccessLevel,
) -> Result<Draft, DbErr> {
    let organization =
        organization::Entity::by_ids(&[scope.viewer.organization_id]).one(scope.database()).await?;
    let keep_reader = organization.is_some_and(|organization| organization.keep_reader);
    let consent = open_windows(scope, tenant_id, READ).await?.into_iter().next();
    let aim = Aim::Change { level: level.into(), keep_reader };
    Ok(Draft { aim, subscriptions, extent: Extent::Named, consent })
}
