//! The mutation `removeMember`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::member;
use sea_orm::{ActiveModelTrait, DbErr, Set, Unchanged};
use serde_json::json;
use uuid::Uuid;

use super::Member;
use super::members::{held, is_last_admin, last_admin};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, halves};
use crate::permission::Permission;

/// Which member.
#[derive(InputObject)]
#[graphql(name = "RemoveMemberInput")]
pub struct RemoveMemberInput {
    /// The member.
    member_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The member that was removed, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "RemoveMemberPayload")]
pub struct RemoveMemberPayload {
    /// The member.
    member: Option<Member>,
    /// Why it was not removed.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RemoveMember;

#[Object(name = "RemoveMemberMutation")]
impl RemoveMember {
    /// Removes a member: within a second its sessions and tokens are refused everywhere, and its live queries
    /// end. Access tokens that it created stay good: they belong to the organization.
    /// Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `NOT_FOUND`, `LAST_ADMIN`.
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which member.")] input: RemoveMemberInput,
    ) -> Option<RemoveMemberPayload> {
        let outcome = remove(ctx, &input.member_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(RemoveMemberPayload { member: row.and_then(object), user_errors, client_mutation_id })
            }),
        )
    }
}

async fn remove(ctx: &Context<'_>, id: &ID) -> Outcome<member::Model> {
    let scope = Scope::of(ctx, Permission::ChangeMembers)?;
    let id = Member::KIND.row(id)?;
    store(scope, id).await.map_err(|error| internal(&error))
}

async fn store(scope: Scope<'_>, id: Uuid) -> Result<Result<member::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let member = match held(scope, id, &transaction).await? {
        Ok(member) => member,
        Err(error) => return Ok(Err(error)),
    };
    if is_last_admin(scope, &member, &transaction).await? {
        return Ok(Err(last_admin()));
    }
    let removed = member::ActiveModel {
        id: Unchanged(id),
        removed_at: Set(Some(scope.services.clock.now())),
        ..Default::default()
    };
    let removed = removed.update(&transaction).await?;
    let record = Record::of(Action::MemberRemoved, ObjectKind::Member, id)
        .before(json!({ "role": member.role.as_str(), "limited": member.limited }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(member.id = %id, "member removed");
    Ok(Ok(removed))
}
