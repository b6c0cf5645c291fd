//! Begins to write a change set that was planned, unless facts have changed since.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use entity::change_set::{self, Purpose, State};
use entity::tag_write::{self, Outcome};
use entity::{Owned, Work, operation, operation_step, resource, subscription};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Set, Unchanged,
};
use uuid::Uuid;

use super::Draft;
use crate::operations;

/// What became of it.
pub enum Begun {
    /// It is being written, by one operation for each tenant: [`ring`](operations::ring) for them after the commit.
    Applying(Vec<operation::Model>),
    /// Nothing in it can be written.
    NothingToWrite,
    /// The inventory has changed since it was planned, and so has what it does to this many resources: that was
    /// planned again, and nothing is written yet.
    Replanned(usize),
}

/// Begins to write `change_set`, whose row the transaction has locked and which is planned. `consents` have the open
/// windows in which it is elevated, by tenant.
pub async fn begin(
    transaction: &DatabaseTransaction,
    change_set: change_set::Model,
    member_id: Uuid,
    consents: &BTreeMap<Uuid, Uuid>,
    now: DateTime<Utc>,
) -> Result<Begun, DbErr> {
    let (id, organization_id) = (change_set.id, change_set.organization_id);
    // The others say themselves, when they are written, what has changed since.
    let is_of_facts = change_set.purpose == Purpose::Change;
    let replanned = if is_of_facts { replan(transaction, change_set, now).await? } else { 0 };
    if replanned > 0 {
        return Ok(Begun::Replanned(replanned));
    }
    let tenants = tenants(transaction, organization_id, id).await?;
    if tenants.is_empty() {
        return Ok(Begun::NothingToWrite);
    }
    let not_sent = tag_write::ActiveModel {
        outcome: Set(Some(Outcome::NotSent)),
        ended_at: Set(Some(now)),
        ..Default::default()
    };
    tag_write::Entity::update_many()
        .set(not_sent)
        .filter(tag_write::Column::ChangeSetId.eq(id))
        .filter(tag_write::Column::Problems.is_not_null())
        .exec(transaction)
        .await?;
    let mut begun = Vec::with_capacity(tenants.len());
    for tenant_id in tenants {
        let work = Work::ApplyChangeSet { change_set_id: id };
        let consent_id = consents.get(&tenant_id).copied();
        let request = operation::Request { organization_id, member_id, tenant_id, consent_id, work };
        begun.extend(operations::store(transaction, request, now).await?);
    }
    let applying = change_set::ActiveModel {
        id: Unchanged(id),
        state: Set(State::Applying),
        applied_at: Set(Some(now)),
        ..Default::default()
    };
    applying.update(transaction).await?;
    Ok(Begun::Applying(begun))
}

/// Lets what an operation did not do be done again: what was decided about stays, and what was done.
pub async fn again(transaction: &DatabaseTransaction, operation: &operation::Model) -> Result<(), DbErr> {
    let Some(id) = operation.change_set_id else { return Ok(()) };
    let of_operation = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .select_only()
        .column(operation_step::Column::SubscriptionId);
    let undone = tag_write::ActiveModel {
        outcome: Set(None),
        failure: Set(None),
        ended_at: Set(None),
        ..Default::default()
    };
    tag_write::Entity::update_many()
        .set(undone)
        .filter(tag_write::Column::ChangeSetId.eq(id))
        .filter(tag_write::Column::SubscriptionId.in_subquery(of_operation.into_query()))
        .filter(tag_write::Column::Outcome.is_in(Outcome::RETRIED))
        .exec(transaction)
        .await?;
    let applying = change_set::ActiveModel {
        id: Unchanged(id),
        state: Set(State::Applying),
        finished_at: Set(None),
        ..Default::default()
    };
    applying.update(transaction).await.map(drop)
}

/// The tenants in which it writes something, in the same order everywhere.
async fn tenants(
    transaction: &DatabaseTransaction,
    organization_id: Uuid,
    change_set_id: Uuid,
) -> Result<Vec<Uuid>, DbErr> {
    subscription::Entity::owned_by(organization_id)
        .filter(subscription::Column::Id.in_subquery(tag_write::written_in(change_set_id)))
        .select_only()
        .column(subscription::Column::TenantId)
        .distinct()
        .order_by_asc(subscription::Column::TenantId)
        .into_tuple()
        .all(transaction)
        .await
}

/// Plans again what a change of the inventory has made pointless or different; answers for how many resources.
async fn replan(
    transaction: &DatabaseTransaction,
    change_set: change_set::Model,
    now: DateTime<Utc>,
) -> Result<usize, DbErr> {
    let of_change_set = tag_write::Entity::owned_by(change_set.organization_id)
        .filter(tag_write::Column::ChangeSetId.eq(change_set.id));
    let touched = of_change_set.clone().select_only().column(tag_write::Column::ResourceId);
    let changed = resource::Entity::owned_by(change_set.organization_id)
        .filter(resource::Column::Id.in_subquery(touched.into_query()))
        .filter(resource::Column::ChangedAt.gte(change_set.created_at))
        .all(transaction)
        .await?;
    let mut draft = Draft::resume(transaction, change_set.clone()).await?;
    let mut replanned = 0;
    for resource in changed {
        let writes = of_change_set.clone().filter(tag_write::Column::ResourceId.eq(resource.id));
        let writes = writes.all(transaction).await?;
        if writes.iter().all(|write| is_as_planned(write, &resource)) {
            continue;
        }
        draft.withdraw(&writes).await?;
        draft.add_writes(&resource, planned_again(&resource, writes)).await?;
        replanned += 1;
    }
    draft.finish().await?;
    if replanned > 0 {
        let planned = change_set::ActiveModel {
            id: Unchanged(change_set.id),
            created_at: Set(now),
            ..Default::default()
        };
        planned.update(transaction).await?;
    }
    Ok(replanned)
}

fn is_as_planned(write: &tag_write::Model, resource: &resource::Model) -> bool {
    let now = resource.tags.find(&write.name);
    now.map(|(_, value)| value) == write.before.as_deref() && resource.deleted_at.is_none()
}

/// The same writes, of the facts as they are now. What is there already is no write any more.
fn planned_again(resource: &resource::Model, writes: Vec<tag_write::Model>) -> Vec<tag_write::Model> {
    let mut writes: BTreeMap<Uuid, tag_write::Model> =
        writes.into_iter().map(|write| (write.id, write)).collect();
    let renamed: HashMap<Uuid, Option<String>> = writes
        .values()
        .filter_map(|write| Some((write.after_id?, resource.tags.find(&write.name))))
        .map(|(id, from)| (id, from.map(|(_, value)| value.to_owned())))
        .collect();
    for (id, value) in renamed {
        if let Some(write) = writes.get_mut(&id) {
            write.after = value;
        }
    }
    let again = writes.into_values().map(|mut write| {
        let before = resource.tags.find(&write.name);
        write.before = before.map(|(_, value)| value.to_owned());
        write.before_name = before.map(|(name, _)| name.to_owned());
        write.problems = None;
        write
    });
    again.filter(|write| write.before != write.after || write.is_recasing()).collect()
}
