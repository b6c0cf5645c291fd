//! Tokens of Tenantry's own service principal, kept until four fifths of their life are over.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>; its
//! claims: <https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::dangerous::insecure_decode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::token::Issued;
use crate::error::codes;
use crate::{Login, MicrosoftError};

/// A token this close to its end may not survive the call it is for.
const LAST_MINUTE: TimeDelta = TimeDelta::seconds(60);

/// The service a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Azure Resource Manager.
    Arm,
    /// Microsoft Graph.
    Graph,
}

/// How new a token must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Any token with enough life left.
    Cached,
    /// One that Entra was asked for after this call began: it knows the roles of now.
    Fresh,
}

/// A token of the service principal, with what it says about it.
#[derive(Clone, Debug)]
pub struct AppToken {
    /// The token.
    pub secret: SecretString,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// The tenant that it names; none: it names none.
    pub tenant_id: Option<Uuid>,
    /// The object id of the service principal in the tenant.
    pub principal_id: Uuid,
    /// The application permissions it holds.
    pub roles: Vec<String>,
}

/// The tokens in use.
#[derive(Default)]
pub(super) struct AppTokens {
    slots: Mutex<HashMap<(Uuid, Audience), Shared>>,
}

type Shared = Arc<tokio::sync::Mutex<Slot>>;

/// The last answer for one tenant and service. Its lock is held while Entra is asked, so that many who
/// need a token ask once.
#[derive(Default)]
struct Slot {
    token: Option<(AppToken, DateTime<Utc>)>,
    /// When the request of the last answer was sent.
    asked_at: Option<Instant>,
    failed: Option<MicrosoftError>,
}

#[derive(Deserialize)]
struct Claims {
    oid: Option<Uuid>,
    tid: Option<Uuid>,
    #[serde(default)]
    roles: Vec<String>,
}

impl Login {
    /// A token of the service principal in a tenant.
    pub async fn app_token(
        &self,
        tenant: Uuid,
        audience: Audience,
        freshness: Freshness,
    ) -> Result<AppToken, MicrosoftError> {
        let wanted_at = Instant::now();
        let slot = self.inner.app_tokens.slot(tenant, audience);
        let mut slot = slot.lock().await;
        let answered_meanwhile = slot.asked_at.is_some_and(|asked_at| asked_at >= wanted_at);
        let now = (self.inner.http.clock())();
        if answered_meanwhile && let Some(error) = slot.failed.clone() {
            return slot.still_good(&error, freshness, now).ok_or(error);
        }
        if let Some((token, refresh_at)) = &slot.token
            && (answered_meanwhile || (freshness == Freshness::Cached && now < *refresh_at))
        {
            return Ok(token.clone());
        }
        slot.asked_at = Some(Instant::now());
        let asked = self.client_credentials(tenant, audience).await.and_then(|issued| read(issued, tenant));
        match asked {
            Ok((token, refresh_at)) => {
                slot.token = Some((token.clone(), refresh_at));
                slot.failed = None;
                Ok(token)
            }
            Err(error) => {
                slot.failed = Some(error.clone());
                slot.still_good(&error, freshness, now).ok_or(error)
            }
        }
    }
}

impl AppTokens {
    fn slot(&self, tenant: Uuid, audience: Audience) -> Shared {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((tenant, audience)).or_default())
    }
}

impl Slot {
    /// An outage of Entra does not matter while the old token lives; a withdrawn consent does.
    fn still_good(
        &mut self,
        error: &MicrosoftError,
        freshness: Freshness,
        now: DateTime<Utc>,
    ) -> Option<AppToken> {
        let passing = matches!(error, MicrosoftError::Unavailable { .. } | MicrosoftError::Throttled { .. });
        if !passing {
            self.token = None;
        }
        let (token, _) = self.token.as_ref()?;
        (freshness == Freshness::Cached && now + LAST_MINUTE < token.expires_at).then(|| token.clone())
    }
}

/// The token and when to ask for the next. It came straight from Entra, so its signature is not checked.
fn read(issued: Issued, tenant: Uuid) -> Result<(AppToken, DateTime<Utc>), MicrosoftError> {
    let odd = |what: &str| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, what);
    let claims = insecure_decode::<Claims>(issued.access_token.expose_secret())
        .map_err(|_| odd("the token cannot be read"))?
        .claims;
    if claims.tid.is_some_and(|tid| tid != tenant) {
        return Err(MicrosoftError::of(&codes::WRONG_TENANT, "the token is of another tenant"));
    }
    let token = AppToken {
        tenant_id: claims.tid,
        principal_id: claims.oid.ok_or_else(|| odd("the token names no service principal"))?,
        roles: claims.roles,
        expires_at: issued.expires_at,
        secret: issued.access_token,
    };
    let life = issued.expires_at - issued.issued_at;
    Ok((token, issued.issued_at + life * 4 / 5))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn issued(claims: &str) -> Issued {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let issued_at = DateTime::UNIX_EPOCH;
        Issued {
            access_token: format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(claims), part("s")).into(),
            issued_at,
            expires_at: issued_at + TimeDelta::seconds(1000),
            id_token: None,
        }
    }

    #[test]
    fn a_token_says_who_the_service_principal_is() {
        let (tenant, principal) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let claims = format!(r#"{{"oid":"{principal}","tid":"{tenant}","roles":["Reports.Read.All"]}}"#);
        let (token, refresh_at) = read(issued(&claims), tenant).expect("a token");
        assert_eq!(token.principal_id, principal);
        assert_eq!(token.roles, ["Reports.Read.All"]);
        assert_eq!(refresh_at.timestamp(), 800);
    }

    #[test]
    fn a_token_of_another_tenant_is_refused() {
        let claims = format!(r#"{{"oid":"{0}","tid":"{0}"}}"#, Uuid::from_u128(2));
        let error = read(issued(&claims), Uuid::from_u128(1)).expect_err("a refusal");
        assert!(matches!(error, MicrosoftError::WrongTenant { .. }));
    }

    #[test]
    fn an_outage_is_bridged_and_a_withdrawal_is_not() {
        let claims = format!(r#"{{"oid":"{}"}}"#, Uuid::from_u128(2));
        let mut slot = Slot { token: read(issued(&claims), Uuid::nil()).ok(), ..Slot::default() };
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let outage = MicrosoftError::of(&codes::MICROSOFT_UNAVAILABLE, "");
        assert!(slot.still_good(&outage, Freshness::Cached, at(900)).is_some());
        assert!(slot.still_good(&outage, Freshness::Cached, at(990)).is_none());
        assert!(slot.still_good(&outage, Freshness::Fresh, at(900)).is_none());
        let withdrawn = MicrosoftError::of(&codes::CONSENT_WITHDRAWN, "");
        assert!(slot.still_good(&withdrawn, Freshness::Cached, at(900)).is_none());
        assert!(slot.token.is_none());
    }
}
