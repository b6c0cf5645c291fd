//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>: tokens.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{AUTOMATION_SECRET, Directory, directory, discovery, refuse, refuse_with};
use crate::permissions::OF_AUTOMATION;
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::{State, lock};
use crate::tokens::{Audience, Subject, access_token};

/// How long an authorization code is good for.
pub(super) const CODE_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Scopes that name no resource.
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn need(&self, state: &State, name: &str) -> Result<&str, Reply> {
        let message = format!("The request body must contain the following parameter: '{name}'.");
        self.get(name).ok_or_else(|| refuse(state, 400, "invalid_request", 900_144, &message))
    }
}

pub(super) fn answer(state: &State, tenant: &str, incoming: &Incoming) -> Reply {
    let mut form = Form(incoming.form());
    if let Some((id, secret)) = basic(incoming) {
        form.0.extend([("client_id".to_owned(), id), ("client_secret".to_owned(), secret)]);
    }
    let answered = match form.need(state, "grant_type") {
        Ok("authorization_code") => redeem(state, tenant, &form, incoming.has_origin),
        Ok("client_credentials") => client_credentials(state, tenant, &form),
        Ok(_) => {
            Err(refuse(state, 400, "unsupported_grant_type", 70_003, "The grant type is not supported."))
        }
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|refusal| refusal)
}

/// The client of a request, once its secret is checked.
fn client(state: &State, form: &Form) -> Result<Uuid, Reply> {
    let id = form.need(state, "client_id")?;
    let directory = lock(&state.directory);
    let ours = state.config.client_id.to_string();
    let (known, secret) = if id.eq_ignore_ascii_case(&ours) {
        (state.config.client_id, directory.client_secret.as_str())
    } else if id.eq_ignore_ascii_case(&directory.automation.0.to_string()) {
        (directory.automation.0, AUTOMATION_SECRET)
    } else {
        let message = format!("Application with identifier '{id}' was not found in the directory.");
        return Err(refuse(state, 400, "unauthorized_client", 700_016, &message));
    };
    let Some(given) = form.get("client_secret") else {
        let message = "The request body must contain the following parameter: 'client_assertion' or \
                       'client_secret'.";
        return Err(refuse(state, 401, "invalid_client", 7_000_218, message));
    };
    if given != secret {
        let message = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
             value, not the client secret ID, for a secret added to app '{id}'."
        );
        return Err(refuse(state, 401, "invalid_client", 7_000_215, &message));
    }
    if known == state.config.client_id && directory.client_secret_expired {
        return Err(refuse(
            state,
            401,
            "invalid_client",
            7_000_222,
            "The provided client secret keys are expired.",
        ));
    }
    Ok(known)
}

/// The resource that all scopes name, and its service.
fn resource(state: &State, scope: &str) -> Result<(String, Audience), Reply> {
    let base = state.base_url();
    let mut found = None;
    for part in scope.split_whitespace() {
        if OPENID_SCOPES.contains(&part) {
            continue;
        }
        let name = part.rsplit_once('/').map_or(part, |(resource, _)| resource).trim_end_matches('/');
        let is_own = name.trim_start_matches("api://") == state.config.client_id.to_string();
        let audience = if is_own { Some(Audience::Tenantry) } else { Audience::of(name, &base) };
        match (audience, &found) {
            (None, _) => {
                let message = format!("The provided value for the scope '{part}' is not valid.");
                return Err(refuse(state, 400, "invalid_scope", 70_011, &message));
            }
            (Some(audience), Some((_, known))) if *known != audience => {
                let message = "The provided value for the input parameter scope is not valid because it \
                               contains more than one resource.";
                return Err(refuse(state, 400, "invalid_scope", 700_022, message));
            }
            (Some(audience), _) => found = Some((name.to_owned(), audience)),
        }
    }
    let message = "The scope names no resource.";
    found.ok_or_else(|| refuse(state, 400, "invalid_scope", 70_011, message))
}

/// The client that redeems a code: it shows its secret, or is a page of the origin that the code was sent to.
fn client_of_code(state: &State, form: &Form, code: &str, has_origin: bool) -> Result<Uuid, Reply> {
    let is_spa = lock(&state.codes).get(code).is_some_and(|issued| issued.is_spa);
    if !is_spa {
        return client(state, form);
    }
    if !has_origin {
        let message = "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via \
                       cross-origin requests.";
        return Err(refuse(state, 400, "invalid_request", 9_002_327, message));
    }
    if form.get("client_secret").is_some() {
        let message =
            "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
        return Err(refuse(state, 401, "invalid_client", 700_025, message));
    }
    Uuid::try_parse(form.need(state, "client_id")?)
        .map_err(|_| refuse(state, 400, "unauthorized_client", 700_016, "Application was not found."))
}

fn redeem(state: &State, tenant: &str, form: &Form, has_origin: bool) -> Result<Reply, Reply> {
    if directory(state, tenant).is_none() {
        return Err(discovery::unknown(state, tenant));
    }
    let code = form.need(state, "code")?;
    let client_id = client_of_code(state, form, code, has_origin)?;
    let redirect_uri = form.need(state, "redirect_uri")?;
    let verifier = form.need(state, "code_verifier")?;
    let invalid = |number, message: &str| Err(refuse(state, 400, "invalid_grant", number, message));
    let mut codes = lock(&state.codes);
    let Some(issued) = codes.get_mut(code) else {
        return invalid(70_000, "The provided authorization code is invalid.");
    };
    let revoked = lock(&state.directory).revoked.get(&issued.user).copied();
    if revoked.is_some_and(|at| issued.expires_at <= at + CODE_LIFETIME) {
        return invalid(
            50_173,
            "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
        );
    }
    if issued.redeemed {
        return invalid(54_005, "OAuth2 Authorization code was already redeemed.");
    }
    if !super::is_same_directory(state, &issued.tenant, tenant) {
        return invalid(700_005, "Provided Authorization Code is intended to use against other tenant.");
    }
    if issued.client_id != client_id || issued.redirect_uri != redirect_uri {
        return invalid(70_000, "The provided authorization code is for another client or redirect URI.");
    }
    if issued.expires_at <= state.now() {
        return invalid(
            70_008,
            "The provided authorization code or refresh token has expired due to inactivity. Send a new \
             interactive authorization request for this user and resource.",
        );
    }
    if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) != issued.challenge {
        return invalid(501_481, "The Code_Verifier does not match the code_challenge.");
    }
    let scope = form.get("scope").unwrap_or(&issued.scope).to_owned();
    // Who only signs in gets a token for Graph.
    let is_sign_in = scope.split_whitespace().any(|part| part == "openid")
        && scope.split_whitespace().all(|part| OPENID_SCOPES.contains(&part));
    let resource =
        if is_sign_in { "https://graph.microsoft.com".to_owned() } else { resource(state, &scope)?.0 };
    issued.redeemed = true;
    let tenant_id = lock(&state.directory).signs_in_at.unwrap_or(issued.user_tenant);
    let subject = Subject {
        object_id: issued.user,
        client_id,
        user: Some(&issued.user_name),
        tenant_id: issued.user_tenant,
        roles: &[],
    };
    let (access_token, lifetime) = access_token(state, &resource, &subject);
    let now = state.now().timestamp();
    let mut id_claims = json!({
        "aud": client_id, "iss": format!("{}/{tenant_id}/v2.0", state.base_url()),
        "iat": now, "nbf": now, "exp": now + 3_600, "nonce": issued.nonce, "oid": issued.user,
        "sub": Uuid::new_v5(&client_id, issued.user.as_bytes()), "tid": tenant_id,
        "name": issued.user_name, "ver": "2.0", "uti": Uuid::new_v4().simple().to_string(),
    });
    if let Some(roles) = lock(&state.directory).directory_roles(issued.user) {
        id_claims["wids"] = json!(roles);
    }
    let id_token = state.keys.sign(&id_claims);
    Ok(Reply::json(
        200,
        &json!({
            "token_type": "Bearer",
            "scope": if is_sign_in { scope } else { format!("{resource}//user_impersonation {resource}//.default") },
            "expires_in": lifetime, "ext_expires_in": lifetime,
            "access_token": access_token, "id_token": id_token,
        }),
    ))
}

fn client_credentials(state: &State, tenant: &str, form: &Form) -> Result<Reply, Reply> {
    match directory(state, tenant) {
        Some(Directory::Home) => {}
        Some(Directory::Any) => {
            let message = "Specified tenant identifier is not allowed for this grant.";
            return Err(refuse(state, 400, "invalid_request", 9_001_023, message));
        }
        Some(Directory::Other) => {
            let id = form.need(state, "client_id")?.to_owned();
            return Err(not_consented(state, &id, tenant));
        }
        None => return Err(discovery::unknown(state, tenant)),
    }
    let client_id = client(state, form)?;
    let (resource, audience) = resource(state, form.need(state, "scope")?)?;
    let object_id = service_principal(state, client_id, tenant)?;
    let roles = roles(state, client_id, audience);
    let subject =
        Subject { object_id, client_id, user: None, tenant_id: state.world.tenant_id, roles: &roles };
    let (access_token, lifetime) = access_token(state, &resource, &subject);
    let body = json!({
        "token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime,
        "access_token": access_token,
    });
    Ok(Reply::json(200, &body))
}

/// The permissions that were granted, of the one service that has any here.
fn roles(state: &State, client_id: Uuid, audience: Audience) -> Vec<String> {
    if audience != Audience::Graph {
        return Vec::new();
    }
    if client_id != state.config.client_id {
        return OF_AUTOMATION.map(str::to_owned).to_vec();
    }
    lock(&state.directory).permissions.known_at(state.now())
}

fn service_principal(state: &State, client_id: Uuid, tenant: &str) -> Result<Uuid, Reply> {
    let directory = lock(&state.directory);
    if client_id == directory.automation.0 {
        return Ok(directory.automation.1);
    }
    match &directory.service_principal {
        Some(principal) if !principal.enabled => Err(refuse(
            state,
            400,
            "unauthorized_client",
            7_000_112,
            &format!("Application '{client_id}' is disabled."),
        )),
        Some(principal) if principal.known_from <= state.now() => Ok(principal.object_id),
        None if directory.created > 0 => {
            let message = format!(
                "Application with identifier '{client_id}' was not found in the directory '{tenant}'."
            );
            Err(refuse(state, 400, "unauthorized_client", 700_016, &message))
        }
        _ => Err(not_consented(state, &client_id.to_string(), tenant)),
    }
}

fn not_consented(state: &State, client_id: &str, tenant: &str) -> Reply {
    let message =
        format!("The client application {client_id} is missing service principal in the tenant {tenant}.");
    refuse_with(state, 401, "invalid_client", 7_000_229, &message, None)
}

fn basic(incoming: &Incoming) -> Option<(String, String)> {
    let encoded = incoming.authorization.as_deref()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        let pair = format!("v={part}");
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
