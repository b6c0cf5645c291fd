//! The token endpoint: exchanging a code, and asking for a token of the service principal's own.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow#redeem-a-code-for-an-access-token>,
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet,
    EndpointSet, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;
use uuid::Uuid;

use super::request;
use crate::error::codes;
use crate::http::{Http, Repeat};
use crate::{Audience, Login, MicrosoftError, Purpose};

/// oauth2's client with our own reading of the reply.
pub(crate) type OauthClient<Authorize = EndpointNotSet, Token = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    TokenReply,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    Authorize,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Token,
>;

/// What a consenting user's code was exchanged for.
#[derive(Clone, Debug)]
pub struct DelegatedGrant {
    /// The delegated token.
    pub access_token: SecretString,
    /// When Microsoft lets it expire.
    pub expires_at: DateTime<Utc>,
    /// Says who consented; not yet verified.
    pub id_token: SecretString,
}

/// A token that Entra gave.
pub(super) struct Issued {
    pub access_token: SecretString,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub id_token: Option<SecretString>,
}

/// The fields that are used. A refresh token, should one come uninvited, is not even read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenReply {
    access_token: AccessToken,
    id_token: Option<AccessToken>,
    #[serde(deserialize_with = "seconds", default)]
    expires_in: u64,
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
}

impl TokenReply {
    /// Its identity token, if there is one.
    pub fn into_id_token(self) -> Option<SecretString> {
        self.id_token.map(|token| token.into_secret().into())
    }
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

/// Microsoft writes it as a number or as a string.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(u64),
        Text(String),
    }
    match Seconds::deserialize(deserializer)? {
        Seconds::Number(seconds) => Ok(seconds),
        Seconds::Text(text) => text.trim().parse().map_err(serde::de::Error::custom),
    }
}

impl TokenResponse for TokenReply {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.expires_in))
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl Login {
    /// Exchanges the code of a consent for the delegated token; where somebody only said who they are, that token is good
    /// for nothing. A code is good once, for ten minutes.
    pub async fn exchange_code(
        &self,
        tenant: Uuid,
        purpose: Purpose,
        code: &SecretString,
        code_verifier: &SecretString,
    ) -> Result<DelegatedGrant, MicrosoftError> {
        let issued_at = (self.inner.http.clock())();
        let endpoint =
            TokenEndpoint { http: self.inner.http.clone(), tenant, repeat: Repeat::IfNeverReceived };
        let client =
            self.client(tenant).set_redirect_uri(RedirectUrl::from_url(self.inner.redirect_uri.clone()));
        let reply = client
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(code_verifier.expose_secret().to_owned()))
            .add_extra_param("scope", self.scopes(purpose).collect::<Vec<_>>().join(" "))
            .request_async(&endpoint)
            .await
            .map_err(unwrap_error)?;
        let issued = Issued::new(reply, issued_at);
        let id_token = issued
            .id_token
            .ok_or_else(|| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the reply holds no id token"))?;
        Ok(DelegatedGrant { access_token: issued.access_token, expires_at: issued.expires_at, id_token })
    }

    /// Asks for a token of the service principal's own.
    pub(super) async fn client_credentials(
        &self,
        tenant: Uuid,
        audience: Audience,
    ) -> Result<Issued, MicrosoftError> {
        let issued_at = (self.inner.http.clock())();
        let endpoint = TokenEndpoint { http: self.inner.http.clone(), tenant, repeat: Repeat::Always };
        let scope = format!("{}/.default", self.resource_name(audience));
        let reply = self
            .client(tenant)
            .exchange_client_credentials()
            .add_scope(Scope::new(scope))
            .request_async(&endpoint)
            .await
            .map_err(unwrap_error)?;
        Ok(Issued::new(reply, issued_at))
    }

    fn client(&self, tenant: Uuid) -> OauthClient<EndpointNotSet, EndpointSet> {
        let url = self.inner.base.at(&format!("/{tenant}/oauth2/v2.0/token"));
        OauthClient::new(ClientId::new(self.inner.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.inner.client_secret.expose_secret().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(url))
    }
}

/// How oauth2 reaches a token endpoint; its budget is kept per tenant.
pub(crate) struct TokenEndpoint {
    pub http: Http,
    pub tenant: Uuid,
    pub repeat: Repeat,
}

impl TokenEndpoint {
    /// Refusals are classified on the way, so what oauth2 gets to read is always a success.
    async fn post(&self, form: HttpRequest) -> Result<HttpResponse, MicrosoftError> {
        let unusable = |what: &str| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, what);
        let (parts, body) = form.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| unusable("the token address is none"))?;
        let mut request = request(Method::POST, url, self.tenant);
        request.content_type = parts.headers.get(CONTENT_TYPE).cloned();
        request.basic = parts.headers.get(AUTHORIZATION).cloned();
        request.body = body.into();
        request.repeat = self.repeat;
        let reply = self.http.send(&request).await?;
        let mut response = HttpResponse::new(reply.body.into());
        *response.status_mut() =
            StatusCode::from_u16(reply.status).map_err(|_| unusable("the status is none"))?;
        *response.headers_mut() = reply.headers;
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for TokenEndpoint {
    type Error = MicrosoftError;
    type Future = BoxFuture<'c, Result<HttpResponse, MicrosoftError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.post(request))
    }
}

impl Issued {
    /// Life is counted from before the request, so that ours never ends after Microsoft's.
    fn new(reply: TokenReply, issued_at: DateTime<Utc>) -> Self {
        let life = TimeDelta::seconds(i64::try_from(reply.expires_in).unwrap_or(0).min(30 * 86_400));
        Self {
            issued_at,
            expires_at: issued_at + life,
            access_token: reply.access_token.into_secret().into(),
            id_token: reply.id_token.map(|token| token.into_secret().into()),
        }
    }
}

/// What oauth2 adds may hold the reply's text, and with it a token: it is not passed on.
pub(crate) fn unwrap_error(error: RequestTokenError<MicrosoftError, BasicErrorResponse>) -> MicrosoftError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(error, _) => MicrosoftError::of(
            &codes::UNEXPECTED_ANSWER,
            format!("the token reply is odd at {}", error.path()),
        ),
        RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
            MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the token reply is no JSON")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_numbers_or_strings() {
        for text in
            [r#"{"access_token":"a","expires_in":4771}"#, r#"{"access_token":"a","expires_in":"4771"}"#]
        {
            let reply: TokenReply = serde_json::from_str(text).expect("a reply");
            assert_eq!(reply.expires_in, 4771);
        }
        assert!(serde_json::from_str::<TokenReply>(r#"{"access_token":"a","expires_in":"x"}"#).is_err());
    }

    #[test]
    fn a_reply_does_not_show_its_tokens() {
        let reply: TokenReply = serde_json::from_str(
            r#"{"access_token":"hidden-a","id_token":"hidden-i","refresh_token":"hidden-r","expires_in":1,"token_type":"Bearer"}"#,
        )
        .expect("a reply");
        assert!(!format!("{reply:?}").contains("hidden"));
        assert!(reply.refresh_token().is_none());
    }
}
