//! The mutation `startConsent`: asks for a consent, and answers where the consenting user has to go.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::{Work, consent};
use url::Url;

use super::{Consent, ConsentKind};
use crate::consent::StartConsentError;
use crate::error::ErrorCode;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::object;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Whose consent to ask for.
#[derive(InputObject)]
#[graphql(name = "StartConsentInput")]
pub struct StartConsentInput {
    /// The tenant: its GUID, or a domain name that is verified in it.
    tenant: String,
    /// What to consent for.
    #[graphql(default)]
    kind: ConsentKind,
    /// Begins nothing by itself: its window is held open, for an hour at most, for what members ask for meanwhile, as by
    /// `addSubscriptions` and `changeAccess`. `closeWindow` closes it. Not with `OFFICE_365`, which has no window.
    #[graphql(default = false)]
    hold_window: bool,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The consent that was asked for, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "StartConsentPayload")]
pub struct StartConsentPayload {
    /// The consent. Ask for it again to see what became of it.
    consent: Option<Consent>,
    /// Where the consenting user has to go, within ten minutes and once. It is told here and nowhere else.
    authorization_url: Option<String>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct StartConsent;

#[Object(name = "StartConsentMutation")]
impl StartConsent {
    /// Asks for the consent of a tenant's administrator, or of an owner of some of its
    /// subscriptions. Needs the
    /// role `EDITOR`, or the scope `consents:write`. `userErrors`: `INVALID_TENANT`,
    /// `TENANT_NOT_FOUND`, `OUTSIDE_REACH`, `MICROSOFT_REFUSED`, `INVALID_SELECTION`.
    async fn start_consent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose consent, and for what.")] input: StartConsentInput,
    ) -> Option<StartConsentPayload> {
        let outcome = start(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (started, user_errors) = halves(outcome);
                let (consent, url) = started.unzip();
                Some(StartConsentPayload {
                    consent: consent.and_then(object),
                    authorization_url: url.map(String::from),
                    user_errors,
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

async fn start(ctx: &Context<'_>, input: &StartConsentInput) -> Outcome<(consent::Model, Url)> {
    let scope = Scope::of(ctx, Permission::StartConsents)?;
    let work = match (input.kind, input.hold_window) {
        (ConsentKind::Azure, false) => Work::ONBOARD,
        (ConsentKind::Azure, true) => Work::Hold,
        (ConsentKind::Office365, false) => Work::LoadOffice,
        (ConsentKind::Office365, true) => {
            let message =
                "A consent to Office 365 has no window that could be held open. Leave holdWindow out.";
            return Ok(Err(UserError::new(UserErrorCode::InvalidSelection, "holdWindow", message)));
        }
    };
    let (viewer, origin) = (&scope.viewer, scope.origin);
    let started = crate::consent::start(scope.services, viewer, origin, &input.tenant, work).await;
    let error = match started {
        Ok(started) => return Ok(Ok(started)),
        Err(error) => error,
    };
    let code = match &error {
        StartConsentError::InvalidTenant => UserErrorCode::InvalidTenant,
        StartConsentError::TenantNotFound => UserErrorCode::TenantNotFound,
        StartConsentError::OutsideReach => UserErrorCode::OutsideReach,
        StartConsentError::Microsoft(microsoft) if microsoft.retryable() => {
            tracing::warn!(error = %microsoft, "Microsoft could not be asked for a tenant");
            return Err(ErrorCode::UpstreamUnavailable.error(error.to_string()));
        }
        StartConsentError::Microsoft(microsoft) => {
            tracing::warn!(error = %microsoft, "Microsoft refused to tell a tenant");
            UserErrorCode::MicrosoftRefused
        }
        StartConsentError::Database(database) => return Err(internal(database)),
    };
    Ok(Err(UserError::new(code, "tenant", error.to_string())))
}
