//! OpenID Connect: where members sign in. Entra ID first, and any other issuer that is configured.
//!
//! <https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth>.

pub(crate) mod jwt;
pub(crate) mod keys;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeVerifier, RedirectUrl,
    Scope, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use crate::error::codes;
use crate::http::{Http, Repeat};
use crate::login::token::{OauthClient, TokenEndpoint, unwrap_error};
use crate::{Clock, MicrosoftError};
use jwt::{Expected, Identity, JwtError};
use keys::Issuer;

/// The scopes of a sign-in: who the person is, and what the person is called.
const SCOPES: [&str; 2] = ["openid", "profile"];

/// An issuer, and who Tenantry is to it.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// What the issuer calls itself; discovery is below it. For several of Entra's tenants
    /// `https://login.microsoftonline.com/organizations/v2.0`.
    pub issuer: Url,
    /// The id of Tenantry's registration there.
    pub client_id: String,
    /// Its secret; none: a public client, which PKCE protects alone.
    pub client_secret: Option<SecretString>,
    /// Where the issuer sends a browser back to; registered exactly so.
    pub redirect_uri: Url,
    /// What the access tokens of front ends on other origins have to be for: one of these.
    pub audiences: Vec<String>,
    /// The Entra tenants whose people may sign in; empty: all.
    pub tenants: Vec<Uuid>,
}

/// One sign-in that is about to be asked for.
#[derive(Clone, Debug)]
pub struct SignInRequest {
    /// Comes back with the answer.
    pub state: SecretString,
    /// Comes back inside the identity token.
    pub nonce: SecretString,
    /// The PKCE secret whose hash is sent now, and which is shown when the code is exchanged.
    pub code_verifier: SecretString,
    /// Whether the person has to choose an account, even if there is only one: nobody may be led into something
    /// by a link that the issuer would let pass unseen.
    pub chooses: bool,
}

/// An issuer at which members sign in; cheap to clone, and clones share keys.
#[derive(Clone)]
pub struct Provider {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ProviderSettings,
    issuer: Issuer,
    http: Http,
    clock: Clock,
}

impl Provider {
    /// Nothing is sent yet.
    pub fn new(settings: ProviderSettings, clock: Clock) -> Result<Self, MicrosoftError> {
        let http = Http::new(Arc::clone(&clock))?;
        let issuer = Issuer::new(http.clone(), settings.issuer.clone());
        Ok(Self { inner: Arc::new(Inner { settings, issuer, http, clock }) })
    }

    /// Where to send a browser to sign in, once the issuer has said where that is.
    pub async fn authorization_url(&self, request: &SignInRequest) -> Result<Url, MicrosoftError> {
        let published = self.inner.issuer.published(None).await?;
        let endpoint = self.endpoint(published.metadata.authorization_endpoint.as_deref())?;
        let settings = &self.inner.settings;
        let challenge =
            URL_SAFE_NO_PAD.encode(Sha256::digest(request.code_verifier.expose_secret().as_bytes()));
        let client = OauthClient::new(ClientId::new(settings.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(endpoint))
            .set_redirect_uri(RedirectUrl::from_url(settings.redirect_uri.clone()));
        let mut asked = client
            .authorize_url(|| CsrfToken::new(request.state.expose_secret().to_owned()))
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.to_owned())))
            .add_extra_param("nonce", request.nonce.expose_secret())
            .add_extra_param("code_challenge", challenge)
            .add_extra_param("code_challenge_method", "S256");
        if request.chooses {
            asked = asked.add_extra_param("prompt", "select_account");
        }
        Ok(asked.url().0)
    }

    /// Exchanges the code of a sign-in for an identity token, which is not verified yet.
    pub async fn exchange_code(
        &self,
        code: &SecretString,
        code_verifier: &SecretString,
    ) -> Result<SecretString, MicrosoftError> {
        let published = self.inner.issuer.published(None).await?;
        let endpoint = self.endpoint(published.metadata.token_endpoint.as_deref())?;
        let settings = &self.inner.settings;
        let methods = &published.metadata.token_endpoint_auth_methods_supported;
        // Whoever says nothing takes Basic, as the specification has it.
        let in_body = methods.iter().any(|method| method == "client_secret_post");
        let mut client = OauthClient::new(ClientId::new(settings.client_id.clone()))
            .set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth })
            .set_token_uri(TokenUrl::from_url(endpoint))
            .set_redirect_uri(RedirectUrl::from_url(settings.redirect_uri.clone()));
        if let Some(secret) = &settings.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        let lane = Uuid::new_v5(&Uuid::NAMESPACE_URL, settings.issuer.as_str().as_bytes());
        let endpoint = TokenEndpoint {
            http: self.inner.http.clone(),
            tenant: lane,
            // A code is redeemed once.
            repeat: Repeat::IfNeverReceived,
        };
        let reply = client
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(code_verifier.expose_secret().to_owned()))
            .request_async(&endpoint)
            .await
            .map_err(unwrap_error)?;
        reply
            .into_id_token()
            .ok_or_else(|| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the reply holds no identity token"))
    }

    /// Verifies the identity token of a sign-in.
    pub async fn verify_id_token(&self, token: &str, nonce: &SecretString) -> Result<Identity, JwtError> {
        let audiences = [self.inner.settings.client_id.clone()];
        self.verify(token, &audiences, Some(nonce.expose_secret())).await
    }

    /// Verifies an access token that the issuer gave a front end on another origin.
    pub async fn verify_access_token(&self, token: &str) -> Result<Identity, JwtError> {
        self.verify(token, &self.inner.settings.audiences, None).await
    }

    async fn verify(
        &self,
        token: &str,
        audiences: &[String],
        nonce: Option<&str>,
    ) -> Result<Identity, JwtError> {
        let expected = Expected { audiences, nonce, now: (self.inner.clock)() };
        let identity = self.inner.issuer.verify(token, &expected).await?;
        let tenants = &self.inner.settings.tenants;
        let is_admitted = tenants.is_empty() || identity.tenant_id.is_some_and(|id| tenants.contains(&id));
        if is_admitted { Ok(identity) } else { Err(JwtError::WrongIssuer) }
    }

    fn endpoint(&self, named: Option<&str>) -> Result<Url, MicrosoftError> {
        let missing = || MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the issuer names no such endpoint");
        self.inner.issuer.trusted(named.ok_or_else(missing)?)
    }

    /// What the issuer is called in an answer (RFC 9207); none: as long as nobody could ask it, or of several.
    pub async fn issuer_name(&self) -> Option<String> {
        let published = self.inner.issuer.published(None).await.ok()?;
        Some(published.metadata.issuer.clone()).filter(|name| !name.contains("{tenantid}"))
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Provider")
    }
}
