//! An access token that says that Entra ID issued it.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference>.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::jwt::Jwt;

/// Where Entra ID's tokens say that they come from: before the tenant's id, and after it.
const ISSUERS: [(&str, &str); 4] = [
    ("https://sts.windows.net/", "/"),
    ("https://sts.chinacloudapi.cn/", "/"),
    ("https://login.microsoftonline.com/", "/v2.0"),
    ("https://login.microsoftonline.us/", "/v2.0"),
];

/// A whole access token of Entra ID, as it describes itself.
#[derive(Clone, Debug)]
pub struct MicrosoftToken {
    /// The token.
    pub secret: SecretString,
    /// The tenant that it is for.
    pub tenant_id: Uuid,
    /// The service that it is for.
    pub audience: String,
    /// What a person let an app do; none: the token is an app's own.
    pub scopes: Option<Vec<String>>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
}

impl MicrosoftToken {
    /// None: it lacks what every access token of Entra ID has.
    pub(super) fn of(jwt: &Jwt, text: &str) -> Option<Self> {
        let scopes = jwt.text("scp").map(|scopes| scopes.split_whitespace().map(str::to_owned).collect());
        Some(Self {
            secret: SecretString::from(text),
            tenant_id: Uuid::try_parse(jwt.text("tid")?).ok()?,
            audience: jwt.text("aud")?.to_owned(),
            scopes,
            expires_at: jwt.moment("exp")?,
        })
    }
}

/// Whether `issuer` is a tenant's of Entra ID, which is also at `login_url`.
pub(super) fn is_issuer(issuer: &str, login_url: &str) -> bool {
    let is_tenant = |(before, after): (&str, &str)| {
        let tenant = issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        tenant.is_some_and(|tenant| Uuid::try_parse(tenant.trim_start_matches('/')).is_ok())
    };
    let configured = (login_url.trim_end_matches('/'), "/v2.0");
    ISSUERS.into_iter().any(is_tenant) || (!login_url.is_empty() && is_tenant(configured))
}
