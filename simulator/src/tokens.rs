//! Tokens: what is in them, and what is checked of them.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference>

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::reply::Reply;
use crate::server::{Incoming, Simulator};
use crate::state::{State, lock};

/// Whom a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Arm,
    Graph,
    /// Tenantry's own api, as its app registration exposes it.
    Tenantry,
}

impl Audience {
    /// The service that a scope or an `aud` names; the simulator's own address names Resource Manager.
    pub(crate) fn of(resource: &str, base: &str) -> Option<Self> {
        let resource = resource.trim_end_matches('/');
        match resource {
            "https://management.azure.com" | "https://management.core.windows.net" => Some(Self::Arm),
            "https://graph.microsoft.com" | "00000003-0000-0000-c000-000000000000" => Some(Self::Graph),
            _ if resource == base => Some(Self::Arm),
            _ => None,
        }
    }
}

/// Who calls, as a valid token says.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) object_id: Uuid,
    pub(crate) tenant_id: Uuid,
    /// Seconds since 1970.
    pub(crate) issued_at: i64,
    pub(crate) roles: Vec<String>,
    pub(crate) client: String,
}

/// What a new access token is about.
pub(crate) struct Subject<'a> {
    pub(crate) object_id: Uuid,
    pub(crate) client_id: Uuid,
    pub(crate) user: Option<&'a str>,
    pub(crate) tenant_id: Uuid,
    pub(crate) roles: &'a [String],
}

/// Signs an access token; answers it and how many seconds it lasts.
pub(crate) fn access_token(state: &State, resource: &str, subject: &Subject<'_>) -> (String, i64) {
    let now = state.now();
    let lifetime = state.token_lifetime();
    let tenant = subject.tenant_id;
    let ours = subject.client_id.to_string();
    if resource.trim_start_matches("api://") == ours {
        // <https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens#token-formats>: version 2.
        let claims = json!({
            "aud": ours, "iss": format!("{}/{tenant}/v2.0", state.base_url()), "azp": ours, "azpacr": "0",
            "iat": now.timestamp(), "nbf": now.timestamp(), "exp": now.timestamp() + lifetime,
            "name": subject.user, "oid": subject.object_id, "scp": "access", "tid": tenant,
            "sub": Uuid::new_v5(&subject.client_id, subject.object_id.as_bytes()),
            "uti": Uuid::new_v4().simple().to_string(), "ver": "2.0",
        });
        return (state.keys.sign(&claims), lifetime);
    }
    let mut claims = json!({
        "aud": resource, "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now.timestamp(), "nbf": now.timestamp(), "exp": now.timestamp() + lifetime,
        "appid": subject.client_id, "appidacr": "1", "oid": subject.object_id, "sub": subject.object_id,
        "tid": tenant, "uti": Uuid::new_v4().simple().to_string(), "ver": "1.0",
    });
    if let Some(name) = subject.user {
        claims["scp"] = json!("user_impersonation");
        claims["name"] = json!(name);
    } else {
        claims["idtyp"] = json!("app");
        if !subject.roles.is_empty() {
            claims["roles"] = json!(subject.roles);
        }
    }
    (signed(state, resource, &claims), lifetime)
}

/// Signs an access token with these claims, in the form of the service that it is for.
fn signed(state: &State, resource: &str, claims: &Value) -> String {
    match Audience::of(resource, &state.base_url()) {
        Some(Audience::Graph) => state.keys.sign_for_graph(claims),
        _ => state.keys.sign(claims),
    }
}

impl Simulator {
    /// An access token of this user for `resource`, with these scopes, as any other app would get it. Lasts an
    /// hour.
    pub fn access_token(&self, user: &str, resource: &str, scopes: &str) -> String {
        let state = &self.state;
        let object_id = lock(&state.directory).user(user).map(|user| user.object_id);
        let (now, tenant) = (state.now().timestamp(), state.world.tenant_id);
        let claims = json!({
            "aud": resource, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now, "nbf": now,
            "exp": now + 3_600, "appid": Uuid::from_u128(0xa11), "oid": object_id, "sub": object_id,
            "scp": scopes, "tid": tenant, "uti": Uuid::new_v4().simple().to_string(), "ver": "1.0",
        });
        signed(state, resource, &claims)
    }
}

/// Checks the token of a call.
pub(crate) fn authenticate(state: &State, incoming: &Incoming, audience: Audience) -> Result<Bearer, Reply> {
    let refuse = |code: &str, message: &str| {
        // Graph has one code for all of it: <https://learn.microsoft.com/en-us/graph/resolve-auth-errors>.
        let code = if audience == Audience::Graph { "InvalidAuthenticationToken" } else { code };
        Err(Reply::error(401, code, message).header(
            "www-authenticate",
            &format!("Bearer authorization_uri=\"{}/common\", error=\"invalid_token\"", state.base_url()),
        ))
    };
    if incoming.token().is_none() {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return refuse("AuthenticationFailed", message);
    }
    let Some(claims) = &incoming.claims else {
        return refuse("InvalidAuthenticationToken", "The access token is invalid.");
    };
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    if Audience::of(text("aud"), &state.base_url()) != Some(audience) {
        let message = "The access token has been obtained for wrong audience or resource.";
        return refuse("InvalidAuthenticationTokenAudience", message);
    }
    let now = state.now();
    let expires = claims["exp"].as_i64().unwrap_or_default();
    if expires <= now.timestamp() {
        let of_graph = "Lifetime validation failed, the token is expired.".to_owned();
        let message = if audience == Audience::Graph { of_graph } else { expired_message(expires, now) };
        return refuse("ExpiredAuthenticationToken", &message);
    }
    let id = |name: &str| Uuid::try_parse(text(name)).unwrap_or_default();
    let bearer = Bearer {
        object_id: id("oid"),
        tenant_id: id("tid"),
        issued_at: claims["iat"].as_i64().unwrap_or_default(),
        roles: claims["roles"].as_array().into_iter().flatten().filter_map(owned_text).collect(),
        client: text("appid").to_owned(),
    };
    match challenge(state, &bearer, audience) {
        Some(refusal) => Err(refusal),
        None => Ok(bearer),
    }
}

fn owned_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// US dates, as Azure Resource Manager writes them.
fn expired_message(expires: i64, now: DateTime<Utc>) -> String {
    let format = "%-m/%-d/%Y %-I:%M:%S %p";
    let end = DateTime::from_timestamp(expires, 0).unwrap_or(now);
    format!(
        "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
        end.format(format),
        now.format(format)
    )
}

/// <https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge>: what a token lacks that was good
/// when it was issued. A policy is satisfied by signing in once more with a second factor.
fn challenge(state: &State, bearer: &Bearer, audience: Audience) -> Option<Reply> {
    let directory = lock(&state.directory);
    let since = |since: &HashMap<Uuid, DateTime<Utc>>| {
        let at = since.get(&bearer.object_id)?.timestamp();
        (bearer.issued_at <= at).then_some(at)
    };
    if let Some(at) = since(&directory.revoked).filter(|_| state.dials().continuous_access) {
        let claims = json!({ "access_token": {
            "nbf": { "essential": true, "value": at.to_string() }, "xms_caeerror": { "value": "10012" },
        } });
        return Some(challenged(&claims, "TokenIssuedBeforeRevocationTimestamp"));
    }
    since(&directory.challenged).filter(|_| audience == Audience::Arm)?;
    let claims = json!({ "access_token": { "acrs": { "essential": true, "values": ["p1"] } } });
    Some(challenged(&claims, "TokenCreatedWithOutdatedPolicies"))
}

fn challenged(claims: &Value, code: &str) -> Reply {
    use base64::Engine;
    let claims = base64::engine::general_purpose::STANDARD.encode(claims.to_string());
    let message = format!(
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: {code}"
    );
    Reply::error(401, "InvalidAuthenticationToken", &message).header(
        "www-authenticate",
        &format!(
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
             error=\"insufficient_claims\", claims=\"{claims}\""
        ),
    )
}
