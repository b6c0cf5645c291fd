//! The mutation `revertChangeSet`: takes back what a change set wrote.

use std::collections::HashMap;

use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::change_set::{self, Purpose, State};
use entity::resource;
use entity::tag_write::{self, Column, Outcome};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use worker::change_set::{Draft, Request, by_resource};

use super::apply_change_set::{error, locked};
use super::plan::{Then, finish, request};
use super::{ChangeSet, ChangeSetPayload, Planned, refused};
use crate::graphql::scope::{Scope, internal};
use crate::graphql::stored::Identified;
use crate::graphql::user_error::UserErrorCode;
use crate::permission::Permission;

/// Writes that are read at once.
const PAGE: u64 = 500;

/// Which change set to revert.
#[derive(InputObject)]
#[graphql(name = "RevertChangeSetInput")]
pub struct RevertChangeSetInput {
    /// The change set.
    change_set_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RevertChangeSet;

#[Object(name = "RevertChangeSetMutation")]
impl RevertChangeSet {
    /// Takes back what a change set wrote, by another change set that is begun at once. A tag that somebody has changed
    /// since is left alone, and says so. Where that one was elevated this one is, and where no consent window is open for
    /// it `userErrors` says where to consent. Needs the role `EDITOR`, or the scope `tags:write`. One that elevates
    /// needs the scope `consents:write` too.
    /// `userErrors`: `NOT_FOUND`, `OUTSIDE_REACH`, `NOT_ENDED`, `NOTHING_TO_CHANGE`, `HAS_PROBLEMS`,
    /// `CONSENT_REQUIRED`, `DIFFERENT_TENANTS`.
    async fn revert_change_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which change set.")] input: RevertChangeSetInput,
    ) -> Option<ChangeSetPayload> {
        ChangeSetPayload::of(ctx, revert(ctx, &input.change_set_id).await, input.client_mutation_id)
    }
}

async fn revert(ctx: &Context<'_>, id: &ID) -> Result<Planned> {
    let scope = Scope::of(ctx, Permission::WriteTags)?;
    let id = ChangeSet::KIND.row(id)?;
    let transaction = scope.begin().await.map_err(|error| internal(&error))?;
    let reverted = match locked(scope, id, &transaction).await.map_err(|error| internal(&error))? {
        Ok(reverted) => reverted,
        Err(error) => return Ok(refused(error)),
    };
    if matches!(reverted.state, State::Planned | State::Applying) {
        let message = "Nothing of it is written yet, or it is still being written. Cancel it first.";
        return Ok(refused(error(UserErrorCode::NotEnded, message)));
    }
    if reverted.elevates {
        Scope::of(ctx, Permission::ChangeAccess)?;
    }
    let title: String = format!("Revert of {}", reverted.title).chars().take(200).collect();
    let request = match request(scope, title, Purpose::Revert, Some(id)) {
        Ok(request) => Request { elevates: reverted.elevates, ..request },
        Err(error) => return Ok(refused(error)),
    };
    let planned = draft(scope, &reverted, request, &transaction).await;
    finish(scope, transaction, planned.map_err(|error| internal(&error))?, Then::Apply).await
}

async fn draft(
    scope: Scope<'_>,
    reverted: &change_set::Model,
    request: Request,
    transaction: &DatabaseTransaction,
) -> Result<change_set::Model, DbErr> {
    let mut draft = Draft::begin(transaction, request, scope.services.clock.now()).await?;
    let mut after = Uuid::nil();
    loop {
        let written = scope
            .owned::<tag_write::Entity>()
            .filter(Column::ChangeSetId.eq(reverted.id))
            .filter(Column::Outcome.is_in([Outcome::Applied, Outcome::Stored]))
            .filter(Column::ResourceId.gt(after))
            .order_by_asc(Column::ResourceId)
            .order_by_asc(Column::Id)
            .limit(PAGE)
            .all(transaction)
            .await?;
        let is_last = (written.len() as u64) < PAGE;
        let of = by_resource(written, is_last);
        let Some(last) = of.last().and_then(|writes| writes.first()) else { break };
        after = last.resource_id;
        add(scope, &mut draft, of, transaction).await?;
        if is_last {
            break;
        }
    }
    draft.finish().await
}

async fn add(
    scope: Scope<'_>,
    draft: &mut Draft<'_>,
    of: Vec<Vec<tag_write::Model>>,
    transaction: &DatabaseTransaction,
) -> Result<(), DbErr> {
    let rows = scope
        .owned::<resource::Entity>()
        .filter(resource::Column::Id.is_in(of.iter().flatten().map(|write| write.resource_id)))
        .all(transaction)
        .await?;
    let rows: HashMap<Uuid, resource::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
    for writes in of {
        let found = writes.first().and_then(|write| rows.get(&write.resource_id));
        let Some(resource) = found else { continue };
        let back: Vec<_> = writes.iter().map(|write| undo(draft, resource, write)).collect();
        draft.add_writes(resource, back).await?;
    }
    Ok(())
}

/// What is there now is what was written then; if it is not, the write finds out and leaves it alone.
fn undo(draft: &Draft<'_>, resource: &resource::Model, write: &tag_write::Model) -> tag_write::Model {
    let written = write.after.as_deref().map(|value| (write.name.as_str(), value));
    let name = write.before_name.as_deref().unwrap_or(&write.name);
    draft.write(resource, name, written, write.before.as_deref())
}
