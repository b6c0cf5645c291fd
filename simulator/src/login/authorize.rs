//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow>: the sign-in page.
//!
//! The page has one form a choice. Each posts the whole request again, with `user` (a user's key) and
//! `decision` (`accept`, `cancel`, `refuse`, `blocked`).

use std::fmt::Write;

use url::Url;
use uuid::Uuid;

use super::token::CODE_LIFETIME;
use super::{Code, Directory, directory};
use crate::directory::User;
use crate::person::Decision;
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::{State, lock};

/// A sign-in request that is acceptable.
struct Request {
    redirect_uri: String,
    is_spa: bool,
    challenge: String,
    state: Option<String>,
    nonce: Option<String>,
    scope: String,
}

pub(super) fn page(state: &State, tenant: &str, incoming: &Incoming) -> Reply {
    match check(state, tenant, &incoming.query) {
        Ok(_) => Reply::html(200, choices(state, &incoming.query)),
        Err(refusal) => refusal,
    }
}

pub(super) fn decide(state: &State, tenant: &str, incoming: &Incoming) -> Reply {
    let form = incoming.form();
    let request = match check(state, tenant, &form) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let (user, decision) = match decided(state, tenant, &form) {
        Ok(decided) => decided,
        Err(refusal) => return refusal,
    };
    match decision {
        Decision::Accept => {
            let code = issue(state, tenant, request, &user);
            back(
                &code.1,
                &[("code", &code.0), ("session_state", &Uuid::new_v4().to_string())],
                code.2.as_deref(),
            )
        }
        Decision::Cancel => back(
            &request.redirect_uri,
            &[
                ("error", "access_denied"),
                ("error_subcode", "cancel"),
                ("error_description", "AADSTS65004: User declined to consent to access the app."),
            ],
            request.state.as_deref(),
        ),
        Decision::Refuse => back(
            &request.redirect_uri,
            &[
                ("error", "access_denied"),
                ("error_description", "AADSTS65004: User declined to consent to access the app."),
            ],
            request.state.as_deref(),
        ),
        Decision::Blocked => back(
            &request.redirect_uri,
            &[
                ("error", "interaction_required"),
                ("error_description", "AADSTS53003: Access has been blocked by Conditional Access policies."),
            ],
            request.state.as_deref(),
        ),
    }
}

fn check(state: &State, tenant: &str, parameters: &[(String, String)]) -> Result<Request, Reply> {
    let value =
        |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match directory(state, tenant) {
        Some(Directory::Home | Directory::Any) => {}
        Some(Directory::Other) => return Err(trouble(50_020, "User account does not exist in this tenant.")),
        None => {
            let message = format!("Tenant '{}' not found.", escape(tenant));
            return Err(trouble(90_002, &message));
        }
    }
    if value("client_id") != Some(state.config.client_id.to_string()) {
        return Err(trouble(700_016, "Application was not found in the directory."));
    }
    let redirect_uri = value("redirect_uri").unwrap_or_default();
    let is_spa = is_known(&state.config.spa_redirect_uris, &redirect_uri);
    let redirect_uri = if is_spa { redirect_uri } else { known_redirect(state, &redirect_uri)? };
    let request = Request {
        challenge: value("code_challenge").unwrap_or_default(),
        state: value("state"),
        nonce: value("nonce"),
        scope: value("scope").unwrap_or_default(),
        redirect_uri,
        is_spa,
    };
    let is_acceptable = value("response_type").as_deref() == Some("code")
        && value("code_challenge_method").as_deref() == Some("S256")
        && !request.challenge.is_empty()
        && !request.scope.is_empty();
    if is_acceptable {
        return Ok(request);
    }
    let error =
        [("error", "invalid_request"), ("error_description", "AADSTS900144: A parameter is missing.")];
    Err(back(&request.redirect_uri, &error, request.state.as_deref()))
}

/// Who decided on the page, and how.
pub(super) fn decided(
    state: &State,
    tenant: &str,
    form: &[(String, String)],
) -> Result<(User, Decision), Reply> {
    let value = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let user = lock(&state.directory).user(value("user").unwrap_or_default()).cloned();
    let (Some(user), Some(decision)) = (user, value("decision").and_then(Decision::named)) else {
        return Err(trouble(50_034, "The user account does not exist in the directory."));
    };
    if directory(state, tenant) == Some(Directory::Home) && user.tenant_id != state.world.tenant_id {
        return Err(trouble(50_020, "User account does not exist in this tenant."));
    }
    Ok((user, decision))
}

/// The redirect URI, if it is one of the app registration's.
pub(super) fn known_redirect(state: &State, redirect_uri: &str) -> Result<String, Reply> {
    if is_known(&state.config.redirect_uris, redirect_uri) {
        return Ok(redirect_uri.to_owned());
    }
    let message = "The redirect URI specified in the request does not match the redirect URIs configured.";
    Err(trouble(50_011, message))
}

fn is_known(uris: &[String], redirect_uri: &str) -> bool {
    uris.iter().any(|known| is_same(known, redirect_uri))
}

/// An `http` address on this machine matches with any port; every other one exactly.
fn is_same(known: &str, asked: &str) -> bool {
    let (Ok(mut known), Ok(mut asked)) = (Url::parse(known), Url::parse(asked)) else { return false };
    let local =
        |url: &Url| url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
    if local(&known) && local(&asked) {
        let _ = (known.set_port(None), asked.set_port(None));
    }
    known == asked
}

fn issue(state: &State, tenant: &str, request: Request, user: &User) -> (String, String, Option<String>) {
    let now = state.now();
    // Consent creates our service principal in the tenant.
    if user.tenant_id == state.world.tenant_id {
        lock(&state.directory).ensure_service_principal(&state.world, now + state.dials().replication, now);
    }
    let code = format!("1.{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let issued = Code {
        client_id: state.config.client_id,
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge,
        nonce: request.nonce,
        tenant: tenant.to_lowercase(),
        user: user.object_id,
        user_name: user.name.to_owned(),
        user_tenant: user.tenant_id,
        is_spa: request.is_spa,
        scope: request.scope,
        expires_at: now + CODE_LIFETIME,
        redeemed: false,
    };
    lock(&state.codes).insert(code.clone(), issued);
    (code, request.redirect_uri, request.state)
}

pub(super) fn back(redirect_uri: &str, parameters: &[(&str, &str)], state: Option<&str>) -> Reply {
    let Ok(mut url) = Url::parse(redirect_uri) else {
        return trouble(50_011, "The redirect URI is invalid.");
    };
    url.query_pairs_mut().extend_pairs(parameters);
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    Reply::redirect(url.as_str())
}

/// Shown on Microsoft's host: the app never hears of it.
pub(super) fn trouble(number: u32, message: &str) -> Reply {
    Reply::html(
        400,
        format!(
            "{HEAD}<h1>Sorry, but we\u{2019}re having trouble signing you in.</h1><p>AADSTS{number}: {message}</p>"
        ),
    )
}

fn choices(state: &State, query: &[(String, String)]) -> String {
    let acts = query.iter().any(|(name, value)| name == "scope" && value.contains("user_impersonation"));
    forms(state, query, if acts { "act for you in Azure Resource Manager" } else { "sign you in" })
}

/// A page that says what the app would like to do, with a form for each user.
pub(super) fn forms(state: &State, query: &[(String, String)], wish: &str) -> String {
    let mut hidden = String::new();
    for (name, value) in query {
        let _ = write!(hidden, "<input type=hidden name=\"{}\" value=\"{}\">", escape(name), escape(value));
    }
    let mut page = format!(
        "{HEAD}<h1>Permissions requested</h1><p><b>Tenantry</b> (unverified) would like to {wish}.</p>\
         <p>Who are you?</p>"
    );
    for user in &lock(&state.directory).users {
        let _ = write!(
            page,
            "<form method=post>{hidden}<input type=hidden name=user value=\"{key}\"><b>{name}</b> <i>{key}</i>\
             <button name=decision value=accept>Accept</button><button name=decision value=cancel>Cancel\
             </button><button name=decision value=blocked>Be blocked by a policy</button></form>",
            key = user.key,
            name = user.name,
        );
    }
    page
}

const HEAD: &str = "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
<title>Sign in (simulated)</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;\
margin:8vh auto;padding:0 1rem}form{display:flex;gap:.6rem;align-items:center;padding:.4rem 0;\
border-bottom:1px solid #ddd}form i{flex:1;color:#667}</style>";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
