//! Entra ID: discovery, the sign-in page, tokens.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow>

mod admin_consent;
mod authorize;
mod discovery;
mod token;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::State;
use admin_consent::Version;

/// The secret of the other app registration, which is Owner of everything.
pub(crate) const AUTOMATION_SECRET: &str = "simulated-secret-of-automation";

/// An authorization code that was issued.
pub(crate) struct Code {
    pub(crate) client_id: Uuid,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) tenant: String,
    pub(crate) user: Uuid,
    pub(crate) user_name: String,
    pub(crate) user_tenant: Uuid,
    /// For a single-page application: redeemed without a secret.
    pub(crate) is_spa: bool,
    pub(crate) scope: String,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) redeemed: bool,
}

pub(crate) fn answer(state: &State, incoming: &Incoming) -> Reply {
    let path = incoming.path.trim_matches('/').to_owned();
    let (tenant, rest) = path.split_once('/').unwrap_or((&path, ""));
    match (incoming.method.as_str(), rest.to_lowercase().as_str()) {
        ("GET", "discovery/instance") => discovery::instance(state),
        ("GET", "v2.0/.well-known/openid-configuration" | ".well-known/openid-configuration") => {
            discovery::configuration(state, tenant)
        }
        ("GET", "discovery/v2.0/keys" | "discovery/keys") => discovery::keys(state, tenant),
        ("GET", "oauth2/v2.0/authorize") => authorize::page(state, tenant, incoming),
        ("POST", "oauth2/v2.0/authorize") => authorize::decide(state, tenant, incoming),
        ("GET", "v2.0/adminconsent") => admin_consent::page(state, tenant, incoming, Version::Two),
        ("POST", "v2.0/adminconsent") => admin_consent::decide(state, tenant, incoming, Version::Two),
        ("GET", "adminconsent") => admin_consent::page(state, tenant, incoming, Version::One),
        ("POST", "adminconsent") => admin_consent::decide(state, tenant, incoming, Version::One),
        ("POST", "oauth2/v2.0/token") => token::answer(state, tenant, incoming),
        _ => Reply::html(404, "<h1>404</h1>".to_owned()),
    }
}

/// An error as the token endpoint writes it.
pub(crate) fn refuse(state: &State, status: u16, error: &str, number: u32, message: &str) -> Reply {
    refuse_with(state, status, error, number, message, None)
}

pub(crate) fn refuse_with(
    state: &State,
    status: u16,
    error: &str,
    number: u32,
    message: &str,
    suberror: Option<&str>,
) -> Reply {
    let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
    let timestamp = state.now().format("%Y-%m-%d %H:%M:%SZ").to_string();
    let description = format!(
        "AADSTS{number}: {message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}"
    );
    let mut body = serde_json::json!({
        "error": error, "error_description": description, "error_codes": [number], "timestamp": timestamp,
        "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("{}/error?code={number}", state.base_url()),
    });
    if let Some(suberror) = suberror {
        body["suberror"] = suberror.into();
    }
    Reply::json(status, &body)
}

/// Whether `tenant` names the customer's tenant, the other one, or any.
#[derive(PartialEq, Eq)]
pub(crate) enum Directory {
    Home,
    Other,
    Any,
}

pub(crate) fn directory(state: &State, tenant: &str) -> Option<Directory> {
    let tenant = tenant.to_lowercase();
    if tenant == state.world.tenant_id.to_string() || tenant == HOME_DOMAIN || tenant == HOME_INITIAL_DOMAIN {
        return Some(Directory::Home);
    }
    if tenant == state.world.other_tenant_id.to_string() || tenant == OTHER_DOMAIN {
        return Some(Directory::Other);
    }
    matches!(tenant.as_str(), "organizations" | "common").then_some(Directory::Any)
}

/// Whether a code that was issued at `issued` may be redeemed at `redeemed`: the same tenant by any of its
/// names, or any tenant.
fn is_same_directory(state: &State, issued: &str, redeemed: &str) -> bool {
    match (directory(state, issued), directory(state, redeemed)) {
        (Some(issued), Some(redeemed)) => {
            matches!(issued, Directory::Any) || matches!(redeemed, Directory::Any) || issued == redeemed
        }
        _ => false,
    }
}

/// Verified domains.
pub(crate) const HOME_DOMAIN: &str = "contoso.example";
pub(crate) const HOME_INITIAL_DOMAIN: &str = "contoso.onmicrosoft.com";
const OTHER_DOMAIN: &str = "fabrikam.example";
