//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-admin-consent>: an administrator grants an app what
//! it asks for, for the whole tenant; and the older way of
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.
//!
//! The page has the forms of the sign-in page. Whoever is no administrator stays on it: the app never hears of them.

use super::authorize::{back, decided, forms, known_redirect, trouble};
use super::{Directory, directory};
use crate::directory::User;
use crate::person::Decision;
use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::{State, lock};
use crate::tokens::Audience;

/// Which of the two ways it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Grants what the app registration lists.
    One,
    /// Grants what the scope names.
    Two,
}

/// A request that is acceptable.
struct Request {
    redirect_uri: String,
    state: Option<String>,
    scope: String,
}

pub(super) fn page(state: &State, tenant: &str, incoming: &Incoming, version: Version) -> Reply {
    match check(state, tenant, &incoming.query, version) {
        Ok(_) => {
            Reply::html(200, forms(state, &incoming.query, "have permissions in the whole organization"))
        }
        Err(refusal) => refusal,
    }
}

pub(super) fn decide(state: &State, tenant: &str, incoming: &Incoming, version: Version) -> Reply {
    let form = incoming.form();
    let request = match check(state, tenant, &form, version) {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let (user, decision) = match decided(state, tenant, &form) {
        Ok(decided) => decided,
        Err(refusal) => return refusal,
    };
    match decision {
        Decision::Accept if !user.is_administrator() => trouble(
            90_094,
            "Need admin approval. Tenantry needs permission to access resources in your organization that only \
             an admin can grant.",
        ),
        Decision::Accept => accepted(state, &user, &request, version),
        Decision::Cancel | Decision::Refuse => refused(&request, version, DECLINED),
        Decision::Blocked => refused(&request, version, BLOCKED),
    }
}

const DECLINED: (&str, &str) =
    ("consent_required", "AADSTS65004: The resource owner or authorization server denied the request.");
const BLOCKED: (&str, &str) =
    ("access_denied", "AADSTS53003: Access has been blocked by Conditional Access policies.");

fn check(
    state: &State,
    tenant: &str,
    parameters: &[(String, String)],
    version: Version,
) -> Result<Request, Reply> {
    let value =
        |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match directory(state, tenant) {
        Some(Directory::Any) if version == Version::Two && tenant.eq_ignore_ascii_case("common") => {
            return Err(trouble(90_023, "Use a tenant or 'organizations', not 'common'."));
        }
        Some(_) => {}
        None => return Err(trouble(90_002, "Tenant not found.")),
    }
    if value("client_id") != Some(state.config.client_id.to_string()) {
        return Err(trouble(700_016, "Application was not found in the directory."));
    }
    let redirect_uri = known_redirect(state, &value("redirect_uri").unwrap_or_default())?;
    let scope = value("scope").unwrap_or_default();
    if version == Version::Two && scope.is_empty() {
        return Err(trouble(900_144, "The request must contain the following parameter: 'scope'."));
    }
    Ok(Request { redirect_uri, state: value("state"), scope })
}

/// Grants, and goes back. The `tenant` of the answer is that of whoever granted; nobody signed it.
fn accepted(state: &State, user: &User, request: &Request, version: Version) -> Reply {
    if user.tenant_id == state.world.tenant_id {
        let known_from = state.now() + state.dials().replication;
        let mut directory = lock(&state.directory);
        directory.ensure_service_principal(&state.world, known_from, state.now());
        // Application permissions are only granted all together.
        if version == Version::One || names_all_of_graph(state, &request.scope) {
            let asked_for = directory.permissions.asked_for();
            directory.permissions.grant(&asked_for, known_from);
        }
    }
    let tenant = user.tenant_id.to_string();
    let answer: &[(&str, &str)] = match version {
        Version::One => &[("tenant", &tenant), ("admin_consent", "True")],
        Version::Two => &[("admin_consent", "True"), ("tenant", &tenant), ("scope", &request.scope)],
    };
    back(&request.redirect_uri, answer, request.state.as_deref())
}

fn names_all_of_graph(state: &State, scope: &str) -> bool {
    let mut all = scope.split_whitespace().filter_map(|scope| scope.strip_suffix("/.default"));
    all.any(|resource| Audience::of(resource, &state.base_url()) == Some(Audience::Graph))
}

/// `admin_consent=True` is there also when nothing was granted.
fn refused(request: &Request, version: Version, (error, description): (&str, &str)) -> Reply {
    match version {
        Version::Two => {
            let answer = [("admin_consent", "True"), ("error", error), ("error_description", description)];
            back(&request.redirect_uri, &answer, request.state.as_deref())
        }
        // Microsoft's example has no state.
        Version::One => {
            let description = "The admin canceled the request";
            let answer = [("error", "permission_denied"), ("error_description", description)];
            back(&request.redirect_uri, &answer, None)
        }
    }
}
