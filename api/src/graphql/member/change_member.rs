//! The mutation `changeMember`: another role, or another reach.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::member;
use sea_orm::{ActiveModelTrait, DbErr, Set, Unchanged};
use serde_json::{Value, json};
use uuid::Uuid;

use super::members::{held, is_last_admin, last_admin};
use super::{Member, Role};
use crate::graphql::reach::{self, Asked, ReachInput};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which member, and what it becomes.
#[derive(InputObject)]
#[graphql(name = "ChangeMemberInput")]
pub struct ChangeMemberInput {
    /// The member.
    member_id: ID,
    /// What it may do from now on; by default what it may do now.
    role: Option<Role>,
    /// What it reaches from now on; by default what it reaches now. An `ADMIN` reaches everything.
    reach: Option<ReachInput>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The member that was changed, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "ChangeMemberPayload")]
pub struct ChangeMemberPayload {
    /// The member.
    member: Option<Member>,
    /// Why it was not changed.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ChangeMember;

#[Object(name = "ChangeMemberMutation")]
impl ChangeMember {
    /// Changes what a member may do and reach; it counts within a second everywhere, live queries included.
    /// Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `NOT_FOUND`, `INVALID_REACH`, `LAST_ADMIN`.
    async fn change_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which member, and what it becomes.")] input: ChangeMemberInput,
    ) -> Option<ChangeMemberPayload> {
        let outcome = change(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(ChangeMemberPayload { member: row.and_then(object), user_errors, client_mutation_id })
            }),
        )
    }
}

async fn change(ctx: &Context<'_>, input: &ChangeMemberInput) -> Outcome<member::Model> {
    let scope = Scope::of(ctx, Permission::ChangeMembers)?;
    let id = Member::KIND.row(&input.member_id)?;
    let asked = match input.reach.as_ref().map(ReachInput::asked).transpose()?.transpose() {
        Ok(asked) => asked,
        Err(error) => return Ok(Err(error)),
    };
    let changed = store(scope, id, input.role.map(Into::into), asked.as_ref()).await;
    changed.map_err(|error| internal(&error))
}

/// What an `ADMIN` decides about, it has to see.
pub(in crate::graphql) fn check_reach(role: member::Role, is_limited: bool) -> Result<(), UserError> {
    if role == member::Role::Admin && is_limited {
        let message = "An ADMIN reaches everything: leave out the limits, or give another role.";
        return Err(UserError::new(UserErrorCode::InvalidReach, "reach", message));
    }
    Ok(())
}

/// What somebody is limited to has to be there.
pub(in crate::graphql) fn nothing_there() -> UserError {
    let message = "There is no such tenant or subscription in your organization.";
    UserError::new(UserErrorCode::NotFound, "reach", message)
}

async fn store(
    scope: Scope<'_>,
    id: Uuid,
    role: Option<member::Role>,
    asked: Option<&Asked>,
) -> Result<Result<member::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let member = match held(scope, id, &transaction).await? {
        Ok(member) => member,
        Err(error) => return Ok(Err(error)),
    };
    let role = role.unwrap_or(member.role);
    let limited = asked.map_or(member.limited, |asked| asked.limits().is_some());
    if role == member.role && asked.is_none() {
        return Ok(Ok(member));
    }
    if let Err(error) = check_reach(role, limited) {
        return Ok(Err(error));
    }
    if role != member::Role::Admin && is_last_admin(scope, &member, &transaction).await? {
        return Ok(Err(last_admin()));
    }
    if let Some(asked) = asked {
        if let Some(limits) = asked.limits()
            && !limits.exist(scope, &transaction).await?
        {
            return Ok(Err(nothing_there()));
        }
        reach::store(scope, id, asked.limits(), &transaction).await?;
    }
    let changed = member::ActiveModel {
        id: Unchanged(id),
        role: Set(role),
        limited: Set(limited),
        ..Default::default()
    };
    let changed = changed.update(&transaction).await?;
    let record = Record::of(Action::MemberChanged, ObjectKind::Member, id)
        .before(told(&member, None))
        .after(told(&changed, asked));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(member.id = %id, "member changed");
    Ok(Ok(changed))
}

/// What the audit is told; the reach only if it was asked for.
fn told(member: &member::Model, asked: Option<&Asked>) -> Value {
    let mut told = json!({ "role": member.role.as_str(), "limited": member.limited });
    if let Some(asked) = asked {
        told["reach"] = reach::told(asked.limits());
    }
    told
}
