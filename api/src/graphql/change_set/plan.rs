//! Plans a change set, and begins to write it where that was asked for and nothing stands against it.

use async_graphql::{Context, Result};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::change_set::{self, Purpose};
use entity::{operation, resource};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use uuid::Uuid;
use worker::change_set::{Begun, Draft, Request, Wish};

use super::selection::ResourceSelection;
use super::{Planned, elevation, refused};
use crate::graphql::operation::announce;
use crate::graphql::scope::{Scope, internal};
use crate::graphql::user_error::{UserError, UserErrorCode};
use crate::permission::Permission;

/// Resources that are read at once.
const PAGE: u64 = 500;
/// The longest title.
const LONGEST_TITLE: usize = 200;

/// What is to become of a plan.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is left to be reviewed; it may hold roles for as long as it is written.
    Review { elevates: bool },
    /// It is written, unless some of it would fail.
    Apply,
}

/// Plans `wish` for the resources of `selection`.
pub async fn plan(
    ctx: &Context<'_>,
    selection: &ResourceSelection,
    wish: Result<Wish, UserError>,
    title: Option<String>,
    then: Then,
) -> Result<Planned> {
    let scope = Scope::of(ctx, Permission::WriteTags)?;
    let wish = match wish {
        Ok(wish) => wish,
        Err(error) => return Ok(refused(error)),
    };
    let elevates = then == Then::Review { elevates: true };
    if elevates {
        Scope::of(ctx, Permission::ChangeAccess)?;
    }
    let request = match request(scope, title.unwrap_or_else(|| title_of(&wish)), Purpose::Change, None) {
        Ok(request) => Request { elevates, ..request },
        Err(error) => return Ok(refused(error)),
    };
    let transaction = scope.begin().await.map_err(|error| internal(&error))?;
    let (rows, _) = match selection.rows(scope, &transaction).await? {
        Ok(rows) => rows,
        Err(error) => return Ok(refused(error)),
    };
    let now = scope.services.clock.now();
    let planned = async {
        let mut draft = Draft::begin(&transaction, request, now).await?;
        let mut after = Uuid::nil();
        loop {
            let page = rows.clone().filter(resource::Column::Id.gt(after));
            let page = page.order_by_asc(resource::Column::Id).limit(PAGE).all(&transaction).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            draft.add(&page, &wish).await?;
        }
        draft.finish().await
    };
    let change_set = planned.await.map_err(|error: DbErr| internal(&error))?;
    finish(scope, transaction, change_set, then).await
}

/// Who plans, and how it is called.
pub fn request(
    scope: Scope<'_>,
    title: String,
    purpose: Purpose,
    reverts_id: Option<Uuid>,
) -> Result<Request, UserError> {
    if title.trim().is_empty() || title.contains('\0') || title.chars().count() > LONGEST_TITLE {
        let message = format!("Give a title of 1 to {LONGEST_TITLE} characters.");
        return Err(UserError::new(UserErrorCode::InvalidName, "title", message));
    }
    let (organization_id, member_id) = (scope.viewer.organization_id, scope.viewer.member_id);
    Ok(Request { organization_id, member_id, title, purpose, reverts_id, elevates: false })
}

/// Keeps what was planned, if it is anything, and begins to write it if that is what is next.
pub async fn finish(
    scope: Scope<'_>,
    transaction: DatabaseTransaction,
    change_set: change_set::Model,
    then: Then,
) -> Result<Planned> {
    let done = keep(scope, transaction, change_set, then).await.map_err(|error| internal(&error))?;
    let (planned, operations) = done;
    for operation in operations {
        announce(scope, &operation).await;
    }
    Ok(planned)
}

async fn keep(
    scope: Scope<'_>,
    transaction: DatabaseTransaction,
    change_set: change_set::Model,
    then: Then,
) -> Result<(Planned, Vec<operation::Model>), DbErr> {
    if change_set.writes == 0 {
        let message = "The selected resources are as they are wanted already: there is nothing to write.";
        let error = UserError::new(UserErrorCode::NothingToChange, "selection", message);
        transaction.rollback().await?;
        return Ok((refused(error), Vec::new()));
    }
    let has_problems = change_set.problems > 0;
    let told = json!({
        "title": change_set.title, "writes": change_set.writes, "problems": change_set.problems,
    });
    let id = change_set.id;
    let windows = match then {
        Then::Apply if !has_problems => Some(elevation::windows(scope, &change_set, &transaction).await?),
        _ => None,
    };
    let Some(Ok(windows)) = windows else {
        let record = Record::of(Action::ChangeSetPlanned, ObjectKind::ChangeSet, id).after(told);
        scope.audit(&transaction, record).await?;
        transaction.commit().await?;
        let error = match windows {
            Some(Err(closed)) => Some(closed.ask(scope, id).await?),
            _ => (then == Then::Apply).then(|| has_problems_error(&change_set)),
        };
        return Ok(((Some(change_set), error.into_iter().collect()), Vec::new()));
    };
    let (now, member_id) = (scope.services.clock.now(), scope.viewer.member_id);
    let begun = worker::change_set::begin(&transaction, change_set.clone(), member_id, &windows, now).await?;
    let Begun::Applying(operations) = begun else {
        return Err(DbErr::Custom("a change set that was just planned cannot be written".to_owned()));
    };
    let record = Record::of(Action::ChangeSetApplied, ObjectKind::ChangeSet, id).after(told);
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    let change_set =
        change_set::Model { state: change_set::State::Applying, applied_at: Some(now), ..change_set };
    Ok(((Some(change_set), Vec::new()), operations))
}

fn has_problems_error(change_set: &change_set::Model) -> UserError {
    let message = format!(
        "{} of {} writes would fail, so nothing is written. Each says why in `changeSet {{ writes(filter: {{ \
         hasProblems: true }}) }}`. Mend them, or apply the rest with applyChangeSet.",
        change_set.problems, change_set.writes
    );
    UserError::new(UserErrorCode::HasProblems, "selection", message)
}

fn title_of(wish: &Wish) -> String {
    let mut names: Vec<&str> = wish.set.iter().map(|(name, _)| name.as_str()).collect();
    names.extend(wish.remove.iter().map(|tag| tag.name.as_str()));
    names.extend(wish.rename.iter().map(|tag| tag.from.as_str()));
    let all: String = names.join(", ");
    let title: String = all.chars().take(LONGEST_TITLE).collect();
    if title.trim().is_empty() { "Tags".to_owned() } else { title }
}
