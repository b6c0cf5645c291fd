//! The mutation `closeWindow`: the delegated token is erased at once.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::consent::{self, Closed, Column, State};
use sea_orm::{ColumnTrait, QueryFilter};
use worker::window::{self, Means};

use super::Consent;
use crate::graphql::scope::{Scope, broken, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Whose window to close.
#[derive(InputObject)]
#[graphql(name = "CloseWindowInput")]
pub struct CloseWindowInput {
    /// The consent.
    consent_id: ID,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The consent whose window was closed, or why it was not.
#[derive(SimpleObject)]
#[graphql(name = "CloseWindowPayload")]
pub struct CloseWindowPayload {
    /// The consent.
    consent: Option<Consent>,
    /// Why it was not closed.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct CloseWindow;

#[Object(name = "CloseWindowMutation")]
impl CloseWindow {
    /// Closes a consent window at once, and erases the delegated token. What is done stays done; what still needed the
    /// window ends with `NEEDS_RECONSENT`. Needs the role `EDITOR`, or the scope `consents:write`.
    /// `userErrors`: `NOT_FOUND`, `NOT_OPEN`.
    async fn close_window(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose window to close.")] input: CloseWindowInput,
    ) -> Option<CloseWindowPayload> {
        let outcome = close(ctx, &input.consent_id).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (row, user_errors) = halves(outcome);
                let client_mutation_id = input.client_mutation_id;
                Some(CloseWindowPayload { consent: row.and_then(object), user_errors, client_mutation_id })
            }),
        )
    }
}

async fn close(ctx: &Context<'_>, id: &ID) -> Outcome<consent::Model> {
    let scope = Scope::of(ctx, Permission::StartConsents)?;
    let id = Consent::KIND.row(id)?;
    let refused = |code, message| Ok(Err(UserError::new(code, "consentId", message)));
    let found = || scope.owned::<consent::Entity>().filter(Column::Id.eq(id)).one(scope.database());
    let not_found = || refused(UserErrorCode::NotFound, "There is no such consent in your organization.");
    let Some(consent) = found().await.map_err(|error| internal(&error))? else { return not_found() };
    let author = scope.viewer.author(scope.origin);
    let means = Means::from(scope.services);
    let has_closed = consent.state == State::Granted
        && window::close_as(means, &consent, Closed::ByMember, &author).await.map_err(|error| {
            tracing::error!(consent.id = %id, %error, "a window was not closed");
            broken()
        })?;
    if !has_closed {
        return refused(
            UserErrorCode::NotOpen,
            "The window of this consent is not open: nothing is left to close.",
        );
    }
    match found().await.map_err(|error| internal(&error))? {
        Some(closed) => Ok(Ok(closed)),
        None => not_found(),
    }
}
