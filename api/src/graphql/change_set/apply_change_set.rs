//! The mutation `applyChangeSet`: begins to write what was planned.

use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::change_set::{self, State};
use entity::{operation, tag_write};
use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, PaginatorTrait, QueryFilter,
    QuerySelect,
};
use serde_json::json;
use uuid::Uuid;
use worker::change_set::Begun;

use super::{ChangeSet, ChangeSetPayload, Planned, elevation, refused};
use crate::graphql::operation::announce;
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::Identified;
use crate::graphql::user_error::{UserError, UserErrorCode};
use crate::permission::Permission;

/// Which change set to write.
#[derive(InputObject)]
#[graphql(name = "ApplyChangeSetInput")]
pub struct ApplyChangeSetInput {
    /// The change set.
    change_set_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ApplyChangeSet;

#[Object(name = "ApplyChangeSetMutation")]
impl ApplyChangeSet {
    /// Begins to write a change set that was planned: all of it but what would fail. Where the inventory has changed
    /// since, what that concerns is planned again and nothing is written yet. One that elevates needs an open consent
    /// window: without one `userErrors` says where to consent, and it is written by itself then. Needs the role
    /// `EDITOR`, or the scope `tags:write`. One that elevates needs the scope `consents:write` too.
    /// `userErrors`: `NOT_FOUND`, `OUTSIDE_REACH`, `NOT_PLANNED`, `CHANGED_SINCE_PLANNED`, `NOTHING_TO_CHANGE`,
    /// `CONSENT_REQUIRED`, `DIFFERENT_TENANTS`.
    async fn apply_change_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which change set.")] input: ApplyChangeSetInput,
    ) -> Option<ChangeSetPayload> {
        ChangeSetPayload::of(ctx, apply(ctx, &input.change_set_id).await, input.client_mutation_id)
    }
}

async fn apply(ctx: &Context<'_>, id: &ID) -> Result<Planned> {
    let scope = Scope::of(ctx, Permission::WriteTags)?;
    let id = ChangeSet::KIND.row(id)?;
    let elevating = again(scope, id, scope.database()).await.map_err(|error| internal(&error))?;
    if elevating.is_some_and(|change_set| change_set.elevates) {
        Scope::of(ctx, Permission::ChangeAccess)?;
    }
    let (planned, operations) = begin(scope, id).await.map_err(|error| internal(&error))?;
    for operation in operations {
        announce(scope, &operation).await;
    }
    Ok(planned)
}

async fn begin(scope: Scope<'_>, id: Uuid) -> Result<(Planned, Vec<operation::Model>), DbErr> {
    let transaction = scope.begin().await?;
    let change_set = match locked(scope, id, &transaction).await? {
        Ok(change_set) => change_set,
        Err(error) => return Ok((refused(error), Vec::new())),
    };
    if change_set.state != State::Planned {
        let message = "Only what is planned can be applied. `retryOperation` goes on with what was not done.";
        return Ok((refused(error(UserErrorCode::NotPlanned, message)), Vec::new()));
    }
    let windows = match elevation::windows(scope, &change_set, &transaction).await? {
        Ok(windows) => windows,
        Err(closed) => {
            transaction.rollback().await?;
            let error = closed.ask(scope, id).await?;
            return Ok(((Some(change_set), vec![error]), Vec::new()));
        }
    };
    let now = scope.services.clock.now();
    let record = Record::of(Action::ChangeSetApplied, ObjectKind::ChangeSet, id)
        .before(json!({ "state": change_set.state.to_value() }));
    let member_id = scope.viewer.member_id;
    match worker::change_set::begin(&transaction, change_set, member_id, &windows, now).await? {
        Begun::NothingToWrite => {
            let message = "Each of its writes would fail; they say why. Plan another change set.";
            Ok((refused(error(UserErrorCode::NothingToChange, message)), Vec::new()))
        }
        Begun::Replanned(count) => {
            let record = Record::of(Action::ChangeSetPlanned, ObjectKind::ChangeSet, id)
                .after(json!({ "resourcesPlannedAgain": count }));
            let change_set = again(scope, id, &transaction).await?;
            scope.audit(&transaction, record).await?;
            transaction.commit().await?;
            let message = format!(
                "The inventory has changed since this was planned: the writes of {count} resources were planned \
                 again, and nothing is written yet. Review them, and apply it again."
            );
            let error = error(UserErrorCode::ChangedSincePlanned, &message);
            Ok(((change_set, vec![error]), Vec::new()))
        }
        Begun::Applying(operations) => {
            let change_set = again(scope, id, &transaction).await?;
            let record = record.after(json!({ "state": State::Applying.to_value() }));
            scope.audit(&transaction, record).await?;
            transaction.commit().await?;
            Ok(((change_set, Vec::new()), operations))
        }
    }
}

async fn again(
    scope: Scope<'_>,
    id: Uuid,
    database: &impl ConnectionTrait,
) -> Result<Option<change_set::Model>, DbErr> {
    scope.owned::<change_set::Entity>().filter(change_set::Column::Id.eq(id)).one(database).await
}

/// The change set, which nobody else changes until the transaction ends, if the viewer reaches all of it.
pub async fn locked(
    scope: Scope<'_>,
    id: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<Result<change_set::Model, UserError>, DbErr> {
    let found = scope.owned::<change_set::Entity>().filter(change_set::Column::Id.eq(id)).lock_exclusive();
    let Some(change_set) = found.one(transaction).await? else {
        let message = "There is no such change set in your organization.";
        return Ok(Err(error(UserErrorCode::NotFound, message)));
    };
    let reached = scope.owned::<tag_write::Entity>().filter(tag_write::Column::ChangeSetId.eq(id));
    let reached = reached.count(transaction).await?;
    if u64::try_from(change_set.writes).ok() != Some(reached) {
        let message = "The change set has writes outside of what you are limited to. Somebody who reaches all of it \
                       has to do this.";
        return Ok(Err(error(UserErrorCode::OutsideReach, message)));
    }
    Ok(Ok(change_set))
}

pub fn error(code: UserErrorCode, message: &str) -> UserError {
    UserError::new(code, "changeSetId", message)
}
