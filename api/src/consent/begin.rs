//! Begins what a consent was asked for, within the transaction that grants it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::{Failure, FixableBy, Owned, change_set, operation};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QuerySelect};
use worker::change_set::Begun;

/// The operations that do what is asked for; or why there is nothing left to do.
pub(super) async fn begin(
    transaction: &DatabaseTransaction,
    request: operation::Request,
    now: DateTime<Utc>,
) -> Result<Result<Vec<operation::Model>, Failure>, DbErr> {
    let Some(change_set_id) = request.work.change_set() else {
        let operation = worker::operations::store(transaction, request, now).await?;
        return Ok(Ok(operation.into_iter().collect()));
    };
    let change_set = change_set::Entity::owned_by(request.organization_id)
        .filter(change_set::Column::Id.eq(change_set_id))
        .lock_exclusive()
        .one(transaction)
        .await?;
    let planned = change_set.filter(|change_set| change_set.state == change_set::State::Planned);
    let Some(change_set) = planned else { return Ok(Err(not_planned())) };
    let windows: BTreeMap<_, _> =
        request.consent_id.map(|consent| (request.tenant_id, consent)).into_iter().collect();
    let begun = worker::change_set::begin(transaction, change_set, request.member_id, &windows, now).await?;
    Ok(match begun {
        Begun::Applying(operations) => Ok(operations),
        Begun::Replanned(_) => Err(changed_since_planned()),
        Begun::NothingToWrite => Err(not_planned()),
    })
}

fn not_planned() -> Failure {
    let message = "Nothing is left to be done: the change set was written or cancelled since this consent was asked \
                   for.";
    Failure::new("CHANGE_SET_NOT_PLANNED", false, FixableBy::Member, message)
}

fn changed_since_planned() -> Failure {
    let message = "The inventory has changed since the change set was planned, so nothing is written. Whoever planned \
                   it has to review it and to apply it again.";
    Failure::new("CHANGED_SINCE_PLANNED", true, FixableBy::Member, message)
}
