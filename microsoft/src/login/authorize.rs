//! Sends a consenting user to Microsoft, and reads what comes back when it is not a code.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow>.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::token::OauthClient;
use crate::error::codes::{self, Meaning};
use crate::{Audience, FixableBy, Login};

/// What somebody is asked to sign in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To let Tenantry act in Azure in their name.
    Delegation,
    /// Only to say who they are.
    Identity,
}

/// One consent that is about to be asked for.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// What for.
    pub purpose: Purpose,
    /// The tenant to consent for.
    pub tenant: Uuid,
    /// Comes back with the answer and finds the consent again; single use.
    pub state: SecretString,
    /// Comes back inside the id token.
    pub nonce: SecretString,
    /// The PKCE secret whose hash is sent now, and which is shown when the code is exchanged.
    pub code_verifier: SecretString,
}

impl Login {
    /// A new PKCE secret.
    pub fn new_code_verifier() -> SecretString {
        PkceCodeChallenge::new_random_sha256().1.into_secret().into()
    }

    /// Where to send the consenting user. No refresh token is asked for.
    pub fn authorization_url(&self, request: &AuthorizationRequest) -> Url {
        let authorize = self.inner.base.at(&format!("/{}/oauth2/v2.0/authorize", request.tenant));
        let challenge =
            URL_SAFE_NO_PAD.encode(Sha256::digest(request.code_verifier.expose_secret().as_bytes()));
        let client = OauthClient::new(ClientId::new(self.inner.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(authorize))
            .set_redirect_uri(RedirectUrl::from_url(self.inner.redirect_uri.clone()));
        let (url, _) = client
            .authorize_url(|| CsrfToken::new(request.state.expose_secret().to_owned()))
            .add_scopes(self.scopes(request.purpose).map(Scope::new))
            .add_extra_param("response_mode", "query")
            .add_extra_param("prompt", "select_account")
            .add_extra_param("nonce", request.nonce.expose_secret())
            .add_extra_param("code_challenge", challenge)
            .add_extra_param("code_challenge_method", "S256")
            .url();
        url
    }

    /// The origin at which people sign in.
    pub fn origin(&self) -> String {
        self.inner.base.at("/").origin().ascii_serialization()
    }

    /// `offline_access` is not among them: what is never asked for is never stored.
    pub(super) fn scopes(&self, purpose: Purpose) -> impl Iterator<Item = String> {
        let arm = || format!("{}/user_impersonation", self.resource_name(Audience::Arm));
        let delegated = (purpose == Purpose::Delegation).then(arm);
        delegated.into_iter().chain(["openid".to_owned(), "profile".to_owned()])
    }
}

/// Why a consenting user came back without a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The user backed out of the sign-in.
    Cancelled,
    /// The user read what Tenantry asks for and declined.
    Declined,
    /// Only an administrator of the tenant may consent.
    AdminConsentRequired,
    /// The sign-in needs MFA, or a policy of the tenant blocks it.
    InteractionRequired,
    /// Tenantry is not in the tenant, or is disabled there.
    ApplicationBlocked,
    /// Azure Resource Manager is not available in the tenant.
    ResourceMissing,
    /// Microsoft had a passing fault.
    Unavailable,
    /// Tenantry's app registration or request is wrong.
    Misconfigured,
    /// A reason nobody has seen before.
    Unexpected,
}

/// Reads the `error`, `error_subcode` and `error_description` of the redirect.
pub fn authorization_refusal(error: &str, subcode: Option<&str>, description: Option<&str>) -> Refusal {
    if subcode == Some("cancel") {
        return Refusal::Cancelled;
    }
    let number = description.and_then(aadsts);
    match number.and_then(codes::number) {
        Some(meaning) if *meaning == codes::ADMIN_CONSENT_REQUIRED => return Refusal::AdminConsentRequired,
        Some(meaning) if *meaning == codes::CONDITIONAL_ACCESS || *meaning == codes::MFA_REQUIRED => {
            return Refusal::InteractionRequired;
        }
        Some(meaning) if *meaning == codes::APPLICATION_DISABLED => return Refusal::ApplicationBlocked,
        _ => {}
    }
    match error {
        "access_denied" | "permission_denied" => Refusal::Declined,
        // With a number of its own it is a decline (65004); without one, nobody was asked.
        "consent_required" if number == Some(65_004) => Refusal::Declined,
        "consent_required" => Refusal::AdminConsentRequired,
        "interaction_required" | "login_required" => Refusal::InteractionRequired,
        "unauthorized_client" => Refusal::ApplicationBlocked,
        "invalid_resource" => Refusal::ResourceMissing,
        "server_error" | "temporarily_unavailable" => Refusal::Unavailable,
        "invalid_request" | "invalid_scope" | "unsupported_response_type" | "invalid_client" => {
            Refusal::Misconfigured
        }
        _ => Refusal::Unexpected,
    }
}

/// The number stands nowhere else than at the head of the description.
fn aadsts(description: &str) -> Option<u32> {
    let digits = description.trim_start().strip_prefix("AADSTS")?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

impl Refusal {
    /// Our code for it: stable, in upper snake case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "CONSENT_CANCELLED",
            Self::Declined => "CONSENT_DECLINED",
            _ => self.meaning().code,
        }
    }

    /// Whether the same consent can succeed later without anybody changing anything.
    pub fn retryable(self) -> bool {
        self == Self::Unavailable
    }

    /// Who can do something about it.
    pub fn fixable_by(self) -> FixableBy {
        match self {
            Self::Cancelled | Self::Declined => FixableBy::Member,
            _ => self.meaning().fixable_by,
        }
    }

    /// A sentence for a person that says what to do.
    pub fn person_message(self) -> &'static str {
        match self {
            Self::Cancelled => {
                "The sign-in was cancelled, so nothing was granted. Start the consent again when ready."
            }
            Self::Declined => {
                "The consent was declined, so nothing was granted. Start it again and accept, or ask who may."
            }
            _ => self.meaning().message,
        }
    }

    fn meaning(self) -> &'static Meaning {
        match self {
            Self::Cancelled | Self::Declined => &codes::CONSENT_REQUIRED,
            Self::AdminConsentRequired => &codes::ADMIN_CONSENT_REQUIRED,
            Self::InteractionRequired => &codes::CONDITIONAL_ACCESS,
            Self::ApplicationBlocked => &codes::APPLICATION_DISABLED,
            Self::ResourceMissing => &codes::RESOURCE_NOT_IN_TENANT,
            Self::Unavailable => &codes::MICROSOFT_UNAVAILABLE,
            Self::Misconfigured => &codes::APPLICATION_MISCONFIGURED,
            Self::Unexpected => &codes::UNEXPECTED_ANSWER,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let refusal = authorization_refusal;
        assert_eq!(refusal("access_denied", Some("cancel"), None), Refusal::Cancelled);
        assert_eq!(refusal("access_denied", None, Some("AADSTS65004: User declined")), Refusal::Declined);
        assert_eq!(refusal("consent_required", None, Some("AADSTS65004: …")), Refusal::Declined);
        assert_eq!(refusal("access_denied", None, Some("AADSTS90094: …")), Refusal::AdminConsentRequired);
        assert_eq!(refusal("access_denied", None, Some("AADSTS53003: …")), Refusal::InteractionRequired);
        assert_eq!(refusal("temporarily_unavailable", None, None), Refusal::Unavailable);
        assert_eq!(refusal("invalid_request", None, Some("AADSTS900144: …")), Refusal::Misconfigured);
        assert_eq!(refusal("new_word", None, Some("AADSTSx")), Refusal::Unexpected);
    }

    proptest! {
        #[test]
        fn every_refusal_has_a_sentence(error in "\\PC{0,20}", sub in "\\PC{0,10}", text in "(AADSTS)?\\PC{0,20}") {
            let refusal = authorization_refusal(&error, Some(&sub), Some(&text));
            prop_assert!(refusal.person_message().ends_with('.'));
        }
    }
}
