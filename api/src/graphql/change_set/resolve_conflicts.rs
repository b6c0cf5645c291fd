//! The mutation `resolveConflicts`: decides which value of a tag stays.

use std::collections::{BTreeMap, HashMap};

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::change_set::{self, Purpose};
use entity::tag_write::{self, Column, Outcome, Resolution};
use entity::{operation, resource};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::json;
use uuid::Uuid;
use worker::change_set::{Begun, Draft};

use super::plan::request;
use super::{ChangeSet, TagWrite};
use crate::graphql::operation::announce;
use crate::graphql::pager::LARGEST;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{UserError, UserErrorCode};
use crate::permission::Permission;

/// Which value of a tag stays.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ConflictDecision")]
pub enum ConflictDecision {
    /// What is wanted here: it is written at once.
    KeepOurs,
    /// What Azure has.
    TakeAzure,
}

/// Which conflicts, and how they are decided.
#[derive(InputObject)]
#[graphql(name = "ResolveConflictsInput")]
pub struct ResolveConflictsInput {
    /// The tag writes that ended as `CONFLICT`; at most 500.
    conflict_ids: Vec<ID>,
    /// Which value stays.
    decision: ConflictDecision,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// What follows from the decision, or why it was not taken.
#[derive(SimpleObject)]
#[graphql(name = "ResolveConflictsPayload")]
pub struct ResolveConflictsPayload {
    /// The conflicts, as they are decided now.
    conflicts: Option<Vec<TagWrite>>,
    /// The change set that writes what was decided; null where nothing has to be written.
    change_set: Option<ChangeSet>,
    /// Why it was not taken.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ResolveConflicts;

#[Object(name = "ResolveConflictsMutation")]
impl ResolveConflicts {
    /// Decides conflicts of tags. What is kept of ours is written by a change set that is begun at once, also where
    /// something has put the tag back before. Needs the role `EDITOR`, or the scope `tags:write`.
    /// `userErrors`: `INVALID_SELECTION`, `NOT_FOUND`, `ALREADY_ENDED`, `HAS_PROBLEMS`.
    async fn resolve_conflicts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conflicts, and how they are decided.")] input: ResolveConflictsInput,
    ) -> Option<ResolveConflictsPayload> {
        let resolved = resolve(ctx, &input).await;
        or_null(
            ctx,
            resolved.map(|resolved| {
                let client_mutation_id = input.client_mutation_id;
                Some(match resolved {
                    Ok(Resolved { conflicts, change_set, .. }) => ResolveConflictsPayload {
                        conflicts: Some(conflicts.into_iter().filter_map(object).collect()),
                        change_set: change_set.and_then(object),
                        user_errors: Vec::new(),
                        client_mutation_id,
                    },
                    Err(error) => ResolveConflictsPayload {
                        conflicts: None,
                        change_set: None,
                        user_errors: vec![error],
                        client_mutation_id,
                    },
                })
            }),
        )
    }
}

struct Resolved {
    conflicts: Vec<tag_write::Model>,
    change_set: Option<change_set::Model>,
    operations: Vec<operation::Model>,
}

async fn resolve(ctx: &Context<'_>, input: &ResolveConflictsInput) -> Result<Result<Resolved, UserError>> {
    let scope = Scope::of(ctx, Permission::WriteTags)?;
    if !(1..=LARGEST).contains(&input.conflict_ids.len()) {
        let message = format!("Name at least one conflict, and at most {LARGEST} at once.");
        return Ok(Err(error(UserErrorCode::InvalidSelection, &message)));
    }
    let mut ids = TagWrite::KIND.rows(&input.conflict_ids)?;
    ids.sort_unstable();
    ids.dedup();
    let resolved = store(scope, &ids, input.decision).await.map_err(|error| internal(&error))?;
    if let Ok(resolved) = &resolved {
        for operation in &resolved.operations {
            announce(scope, operation).await;
        }
    }
    Ok(resolved)
}

fn error(code: UserErrorCode, message: &str) -> UserError {
    UserError::new(code, "conflictIds", message)
}

async fn store(
    scope: Scope<'_>,
    ids: &[Uuid],
    decision: ConflictDecision,
) -> Result<Result<Resolved, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let conflicts = scope
        .owned::<tag_write::Entity>()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::Outcome.eq(Outcome::Conflict))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(&transaction)
        .await?;
    if conflicts.len() < ids.len() {
        return Ok(Err(error(
            UserErrorCode::NotFound,
            "Not all of these are conflicts in your organization.",
        )));
    }
    if conflicts.iter().any(|conflict| conflict.resolved_at.is_some()) {
        return Ok(Err(error(UserErrorCode::AlreadyEnded, "Some of these conflicts are decided already.")));
    }
    let (change_set, operations) = match decision {
        ConflictDecision::TakeAzure => (None, Vec::new()),
        ConflictDecision::KeepOurs => match write(scope, &conflicts, &transaction).await? {
            Ok((change_set, operations)) => (Some(change_set), operations),
            Err(error) => return Ok(Err(error)),
        },
    };
    let resolution = match decision {
        ConflictDecision::KeepOurs => Resolution::KeepOurs,
        ConflictDecision::TakeAzure => Resolution::TakeAzure,
    };
    let now = scope.services.clock.now();
    tag_write::Entity::update_many()
        .set(tag_write::ActiveModel {
            resolution: Set(Some(resolution)),
            resolved_at: Set(Some(now)),
            resolved_by: Set(Some(scope.viewer.member_id)),
            ..Default::default()
        })
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec(&transaction)
        .await?;
    let object = change_set.as_ref().map_or(conflicts[0].change_set_id, |change_set| change_set.id);
    let record = Record::of(Action::ConflictsResolved, ObjectKind::ChangeSet, object).after(json!({
        "decision": sea_orm::ActiveEnum::to_value(&resolution),
        "conflicts": ids.iter().map(|id| TagWrite::KIND.id(*id)).collect::<Vec<_>>(),
    }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    let conflicts = conflicts.into_iter().map(|conflict| tag_write::Model {
        resolution: Some(resolution),
        resolved_at: Some(now),
        ..conflict
    });
    Ok(Ok(Resolved { conflicts: conflicts.collect(), change_set, operations }))
}

/// Plans and begins to write what is wanted here, over what was found in Azure.
async fn write(
    scope: Scope<'_>,
    conflicts: &[tag_write::Model],
    transaction: &DatabaseTransaction,
) -> Result<Result<(change_set::Model, Vec<operation::Model>), UserError>, DbErr> {
    let request = match request(scope, "Decided conflicts".to_owned(), Purpose::Resolve, None) {
        Ok(request) => request,
        Err(error) => return Ok(Err(error)),
    };
    let now = scope.services.clock.now();
    let resources = scope
        .owned::<resource::Entity>()
        .filter(resource::Column::Id.is_in(conflicts.iter().map(|conflict| conflict.resource_id)))
        .all(transaction)
        .await?;
    let mut draft = Draft::begin(transaction, request, now).await?;
    let mut of: HashMap<Uuid, Vec<&tag_write::Model>> = HashMap::new();
    for conflict in conflicts {
        of.entry(conflict.resource_id).or_default().push(conflict);
    }
    for resource in &resources {
        let writes = of.get(&resource.id).into_iter().flatten().map(|conflict| {
            let found = conflict.found.as_deref().map(|value| (conflict.name.as_str(), value));
            draft.write(resource, &conflict.name, found, conflict.after.as_deref())
        });
        let writes = writes.collect();
        draft.add_writes(resource, writes).await?;
    }
    let change_set = draft.finish().await?;
    if change_set.problems > 0 {
        let message = "Some of these tags cannot be written: plan them by planChangeSet to see why.";
        return Ok(Err(error(UserErrorCode::HasProblems, message)));
    }
    let (member_id, no_window) = (scope.viewer.member_id, BTreeMap::new());
    match worker::change_set::begin(transaction, change_set.clone(), member_id, &no_window, now).await? {
        Begun::Applying(operations) => Ok(Ok((
            change_set::Model { state: change_set::State::Applying, applied_at: Some(now), ..change_set },
            operations,
        ))),
        Begun::NothingToWrite | Begun::Replanned(_) => {
            Ok(Err(error(UserErrorCode::NotFound, "These tags are as they are wanted by now. Look again.")))
        }
    }
}
