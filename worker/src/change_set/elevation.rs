//! Subscriptions whose tags are only read, and that a change set writes to by a role that it holds for that alone.

use std::collections::BTreeSet;

use entity::subscription::{self, AccessLevel};
use entity::{Owned, change_set, tag_write};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::Names;

/// The level at which a subscription can be written to for a while: below it nothing of its tags is known.
pub(super) const ELEVATED: AccessLevel = AccessLevel::ReadTags;

/// The subscriptions of `tenant_id`, or of all tenants, at which a change set has to hold a role: those that it sends tags
/// to and whose level does not let it. None if it does not elevate.
pub async fn elevated(
    database: &impl ConnectionTrait,
    organization_id: Uuid,
    change_set_id: Uuid,
    tenant_id: Option<Uuid>,
) -> Result<BTreeSet<Uuid>, DbErr> {
    let of_tenant = Condition::all().add_option(tenant_id.map(|id| subscription::Column::TenantId.eq(id)));
    let found = elevations(database, organization_id, &[change_set_id], of_tenant).await?;
    Ok(found.into_iter().map(|(_, subscription)| subscription).collect())
}

/// The same of several change sets: which of them, and which subscription.
pub async fn elevations(
    database: &impl ConnectionTrait,
    organization_id: Uuid,
    change_sets: &[Uuid],
    subscriptions: Condition,
) -> Result<BTreeSet<(Uuid, Uuid)>, DbErr> {
    let elevating = change_set::Entity::owned_by(organization_id)
        .filter(change_set::Column::Id.is_in(change_sets.iter().copied()))
        .filter(change_set::Column::Elevates.eq(true))
        .select_only()
        .column(change_set::Column::Id);
    let read = subscription::Entity::owned_by(organization_id)
        .filter(subscription::Column::AccessLevel.eq(ELEVATED))
        .filter(subscriptions)
        .select_only()
        .column(subscription::Column::Id);
    let written: Vec<(Uuid, Uuid, String)> = tag_write::Entity::owned_by(organization_id)
        .filter(tag_write::Column::ChangeSetId.in_subquery(elevating.into_query()))
        .filter(tag_write::Column::SubscriptionId.in_subquery(read.into_query()))
        .filter(tag_write::Column::Problems.is_null())
        .select_only()
        .columns([
            tag_write::Column::ChangeSetId,
            tag_write::Column::SubscriptionId,
            tag_write::Column::Folded,
        ])
        .distinct()
        .into_tuple()
        .all(database)
        .await?;
    let names = Names::load(database, organization_id).await?;
    let sent = written.into_iter().filter(|(_, _, name)| !names.is_off(name));
    Ok(sent.map(|(change_set, subscription, _)| (change_set, subscription)).collect())
}
