//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc>: discovery and keys.

use serde_json::json;

use super::{Directory, directory, refuse};
use crate::reply::Reply;
use crate::state::State;

pub(super) fn configuration(state: &State, tenant: &str) -> Reply {
    let issuer = match directory(state, tenant) {
        Some(Directory::Home) => state.world.tenant_id.to_string(),
        Some(Directory::Other) => state.world.other_tenant_id.to_string(),
        Some(Directory::Any) => "{tenantid}".to_owned(),
        None => return unknown(state, tenant),
    };
    let base = state.base_url();
    let at = |path: &str| format!("{base}/{tenant}/{path}");
    Reply::json(
        200,
        &json!({
            "authorization_endpoint": at("oauth2/v2.0/authorize"),
            "token_endpoint": at("oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported":
                ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": at("discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("{base}/{issuer}/v2.0"),
            "end_session_endpoint": at("oauth2/v2.0/logout"),
            "claims_supported":
                ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }),
    )
}

pub(super) fn keys(state: &State, tenant: &str) -> Reply {
    if directory(state, tenant).is_none() {
        return unknown(state, tenant);
    }
    Reply::json(200, &state.keys.published(&format!("{}/{{tenantid}}/v2.0", state.base_url())))
}

/// What clients ask to learn whether a host is one of Microsoft's.
pub(super) fn instance(state: &State) -> Reply {
    let base = state.base_url();
    let host = base.split("//").nth(1).unwrap_or_default();
    Reply::json(
        200,
        &json!({
            "tenant_discovery_endpoint":
                format!("{base}/{}/v2.0/.well-known/openid-configuration", state.world.tenant_id),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": host, "preferred_cache": host, "aliases": [host],
            }],
        }),
    )
}

pub(super) fn unknown(state: &State, tenant: &str) -> Reply {
    let message = format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.");
    refuse(state, 400, "invalid_tenant", 90_002, &message)
}
