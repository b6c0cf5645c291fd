//! The mutation `cancelChangeSet`: stops what is being written, or drops what was only planned.

use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::change_set::{self, State};
use entity::operation;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Set,
    Unchanged,
};
use serde_json::json;
use uuid::Uuid;

use super::apply_change_set::{error, locked};
use super::{ChangeSet, ChangeSetPayload, Planned, refused};
use crate::graphql::operation::announce;
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::Identified;
use crate::graphql::user_error::UserErrorCode;
use crate::permission::Permission;

/// Which change set to cancel.
#[derive(InputObject)]
#[graphql(name = "CancelChangeSetInput")]
pub struct CancelChangeSetInput {
    /// The change set.
    change_set_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct CancelChangeSet;

#[Object(name = "CancelChangeSetMutation")]
impl CancelChangeSet {
    /// Cancels a change set: what was only planned will not be written, and what is being written stops a moment later.
    /// What was written stays; `revertChangeSet` takes it back. Needs the role `EDITOR`, or the scope `tags:write`.
    /// `userErrors`: `NOT_FOUND`, `OUTSIDE_REACH`, `ALREADY_ENDED`.
    async fn cancel_change_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which change set.")] input: CancelChangeSetInput,
    ) -> Option<ChangeSetPayload> {
        ChangeSetPayload::of(ctx, cancel(ctx, &input.change_set_id).await, input.client_mutation_id)
    }
}

async fn cancel(ctx: &Context<'_>, id: &ID) -> Result<Planned> {
    let scope = Scope::of(ctx, Permission::WriteTags)?;
    let id = ChangeSet::KIND.row(id)?;
    let (planned, operations) = stop(scope, id).await.map_err(|error| internal(&error))?;
    for operation in operations {
        announce(scope, &operation).await;
    }
    Ok(planned)
}

async fn stop(scope: Scope<'_>, id: Uuid) -> Result<(Planned, Vec<operation::Model>), DbErr> {
    let transaction = scope.begin().await?;
    let change_set = match locked(scope, id, &transaction).await? {
        Ok(change_set) => change_set,
        Err(error) => return Ok((refused(error), Vec::new())),
    };
    let now = scope.services.clock.now();
    let record = Record::of(Action::ChangeSetCancelled, ObjectKind::ChangeSet, id)
        .before(json!({ "state": change_set.state.to_value() }));
    let (change_set, operations) = match change_set.state {
        State::Planned => {
            let cancelled = change_set::ActiveModel {
                id: Unchanged(id),
                state: Set(State::Cancelled),
                finished_at: Set(Some(now)),
                ..Default::default()
            };
            (cancelled.update(&transaction).await?, Vec::new())
        }
        State::Applying => {
            let (operations, asked_now) = ask(scope, id, &transaction).await?;
            if !asked_now {
                return Ok(((Some(change_set), Vec::new()), operations));
            }
            (change_set, operations)
        }
        _ => {
            let message = "The change set has ended already. `revertChangeSet` takes back what it wrote.";
            return Ok((refused(error(UserErrorCode::AlreadyEnded, message)), Vec::new()));
        }
    };
    scope.audit(&transaction, record.after(json!({ "cancelRequestedAt": now }))).await?;
    transaction.commit().await?;
    Ok(((Some(change_set), Vec::new()), operations))
}

/// Asks each operation that writes it to stop; says whether any was not asked before.
async fn ask(
    scope: Scope<'_>,
    id: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<(Vec<operation::Model>, bool), DbErr> {
    let running = [operation::State::Queued, operation::State::Running];
    let asked = operation::ActiveModel {
        cancel_requested_at: Set(Some(scope.services.clock.now())),
        ..Default::default()
    };
    let asked = operation::Entity::update_many()
        .set(asked)
        .filter(operation::Column::OrganizationId.eq(scope.viewer.organization_id))
        .filter(operation::Column::ChangeSetId.eq(id))
        .filter(operation::Column::State.is_in(running))
        .filter(operation::Column::CancelRequestedAt.is_null())
        .exec(transaction)
        .await?;
    let operations = operation::Entity::applying(scope.viewer.organization_id, id)
        .filter(operation::Column::State.is_in(running))
        .all(transaction)
        .await?;
    Ok((operations, asked.rows_affected > 0))
}
