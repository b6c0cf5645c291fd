//! The mutation `signOutEverywhere`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::member;
use sea_orm::{ActiveModelTrait, DbErr, Set, Unchanged};
use serde_json::json;
use uuid::Uuid;

use super::Member;
use super::members::held;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, halves};
use crate::permission::Permission;

/// Who.
#[derive(InputObject)]
#[graphql(name = "SignOutEverywhereInput")]
pub struct SignOutEverywhereInput {
    /// The member; by default the one who asks. For somebody else the role `ADMIN` is needed.
    member_id: Option<ID>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The member who was signed out, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "SignOutEverywherePayload")]
pub struct SignOutEverywherePayload {
    /// The member.
    member: Option<Member>,
    /// Why it was not signed out.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct SignOutEverywhere;

#[Object(name = "SignOutEverywhereMutation")]
impl SignOutEverywhere {
    /// Ends every session of a member, this one included, and refuses every token that its issuer gave before:
    /// within a second, everywhere. Needs the role `VIEWER`; no access token may do it.
    /// `userErrors`: `NOT_FOUND`.
    async fn sign_out_everywhere(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: SignOutEverywhereInput,
    ) -> Option<SignOutEverywherePayload> {
        let outcome = sign_out(ctx, input.member_id.as_ref()).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(SignOutEverywherePayload {
                    member: row.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

async fn sign_out(ctx: &Context<'_>, id: Option<&ID>) -> Outcome<member::Model> {
    let oneself = Scope::of(ctx, Permission::ChangeOneself)?;
    let id = id.map(|id| Member::KIND.row(id)).transpose()?.unwrap_or(oneself.viewer.member_id);
    let is_oneself = id == oneself.viewer.member_id;
    let scope = if is_oneself { oneself } else { Scope::of(ctx, Permission::ChangeMembers)? };
    store(scope, id).await.map_err(|error| internal(&error))
}

async fn store(scope: Scope<'_>, id: Uuid) -> Result<Result<member::Model, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    if let Err(error) = held(scope, id, &transaction).await? {
        return Ok(Err(error));
    }
    let signed_out = member::ActiveModel {
        id: Unchanged(id),
        signed_out_at: Set(Some(scope.services.clock.now())),
        ..Default::default()
    };
    let signed_out = signed_out.update(&transaction).await?;
    let record = Record::of(Action::SignedOutEverywhere, ObjectKind::Member, id)
        .after(json!({ "signedOutAt": signed_out.signed_out_at }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(member.id = %id, "signed out everywhere");
    Ok(Ok(signed_out))
}
