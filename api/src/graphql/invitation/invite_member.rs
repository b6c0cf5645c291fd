//! The mutation `inviteMember`.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::invitation::{self, Guest};
use entity::member;
use sea_orm::{ActiveModelTrait, DbErr};
use secrecy::SecretString;
use serde_json::json;

use super::Invitation;
use crate::graphql::member::{Role, check_reach, nothing_there};
use crate::graphql::names::check_name;
use crate::graphql::reach::{self, Asked, Limits, ReachInput};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::object;
use crate::graphql::user_error::{Outcome, UserError, halves};
use crate::permission::Permission;
use crate::sign_in::invitation_link;

/// Whom to invite.
#[derive(InputObject)]
#[graphql(name = "InviteMemberInput")]
pub struct InviteMemberInput {
    /// What the person is called until they say themselves: at most 100 characters.
    display_name: String,
    /// What the person will be able to do.
    role: Role,
    /// What the person will reach; by default everything. An `ADMIN` reaches everything.
    reach: Option<ReachInput>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The invitation, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "InviteMemberPayload")]
pub struct InviteMemberPayload {
    /// The invitation.
    invitation: Option<Invitation>,
    /// The link to send to the person: whoever opens it first and signs in becomes the member. It is shown this
    /// once, and good for a week.
    link: Option<String>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct InviteMember;

#[Object(name = "InviteMemberMutation")]
impl InviteMember {
    /// Invites a person into the organization. Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `INVALID_NAME`, `INVALID_REACH`, `NOT_FOUND`.
    async fn invite_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to invite.")] input: InviteMemberInput,
    ) -> Option<InviteMemberPayload> {
        let outcome = invite(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (invited, user_errors) = halves(outcome);
                let (row, link) = invited.unzip();
                Some(InviteMemberPayload {
                    invitation: row.and_then(object),
                    link,
                    user_errors,
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

async fn invite(ctx: &Context<'_>, input: &InviteMemberInput) -> Outcome<(invitation::Model, String)> {
    let scope = Scope::of(ctx, Permission::ChangeMembers)?;
    let display_name = match check_name("displayName", &input.display_name) {
        Ok(name) => name.to_owned(),
        Err(error) => return Ok(Err(error)),
    };
    let asked = match input.reach.as_ref().map(ReachInput::asked).transpose()?.transpose() {
        Ok(asked) => asked,
        Err(error) => return Ok(Err(error)),
    };
    let limits = asked.as_ref().and_then(Asked::limits);
    let role: member::Role = input.role.into();
    if let Err(error) = check_reach(role, limits.is_some()) {
        return Ok(Err(error));
    }
    let guest = Guest {
        organization_id: scope.viewer.organization_id,
        display_name,
        role,
        limited: limits.is_some(),
        invited_by: Some(scope.viewer.member_id),
    };
    let stored = store(scope, guest, limits).await.map_err(|error| internal(&error))?;
    Ok(stored.map(|(row, secret)| (row, invitation_link(&scope.services.public_url, &secret).into())))
}

async fn store(
    scope: Scope<'_>,
    guest: Guest,
    limits: Option<&Limits>,
) -> Result<Result<(invitation::Model, SecretString), UserError>, DbErr> {
    let transaction = scope.begin().await?;
    if let Some(limits) = limits
        && !limits.exist(scope, &transaction).await?
    {
        return Ok(Err(nothing_there()));
    }
    let (invitation, secret) = guest.invited(scope.services.clock.now());
    let invitation = invitation.insert(&transaction).await?;
    reach::store(scope, invitation.id, limits, &transaction).await?;
    let record = Record::of(Action::MemberInvited, ObjectKind::Invitation, invitation.id)
        .after(json!({ "role": invitation.role.as_str(), "reach": reach::told(limits) }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(invitation.id = %invitation.id, "member invited");
    Ok(Ok((invitation, secret)))
}
