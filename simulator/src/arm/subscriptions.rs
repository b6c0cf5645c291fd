//! <https://learn.microsoft.com/en-us/rest/api/resources/subscriptions/list>: subscriptions and tenants.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Caller, listing, tags};
use crate::directory::Directory;
use crate::login::{HOME_DOMAIN, HOME_INITIAL_DOMAIN};
use crate::reply::Reply;
use crate::server::Incoming;
use crate::world::Subscription;

pub(super) fn tenants(caller: &Caller<'_>) -> Reply {
    let id = caller.state.world.tenant_id;
    Reply::json(
        200,
        &json!({ "value": [{
            "id": format!("/tenants/{id}"), "tenantId": id, "countryCode": "NL", "displayName": "Contoso",
            "domains": [HOME_DOMAIN, HOME_INITIAL_DOMAIN], "tenantCategory": "Home",
            "defaultDomain": HOME_DOMAIN, "tenantType": "AAD",
        }] }),
    )
}

pub(super) fn list(caller: &Caller<'_>, incoming: &Incoming) -> Reply {
    let directory = caller.directory();
    // Any role makes a subscription visible, and every role reads something.
    let visible = caller.where_may(&directory, "Microsoft.Authorization/roleAssignments/read");
    let all = caller.state.world.subscriptions.iter();
    let seen = all
        .filter(|one| visible.as_ref().is_none_or(|ids| ids.contains(&one.id)) && directory.is_here(one.id));
    let rows: Vec<_> = seen.map(|one| row(caller, &directory, one)).collect();
    drop(directory);
    listing::cut(caller, incoming, &rows)
}

pub(super) fn get(caller: &Caller<'_>, subscription: Uuid) -> Reply {
    let directory = caller.directory();
    if !caller.sees(&directory, subscription) {
        return caller
            .forbidden("Microsoft.Resources/subscriptions/read", &format!("/subscriptions/{subscription}"));
    }
    match caller.state.world.subscription(subscription) {
        Some(found) => Reply::json(200, &row(caller, &directory, found)),
        None => missing(subscription),
    }
}

/// Refuses calls to subscriptions that are unknown, gone, or elsewhere.
pub(super) fn must_be_here(caller: &Caller<'_>, subscription: Uuid) -> Result<(), Reply> {
    let directory = caller.directory();
    if caller.state.world.subscription(subscription).is_none() {
        return Err(missing(subscription));
    }
    let Some(overlay) = directory.overlays.get(&subscription) else { return Ok(()) };
    if let Some(other) = overlay.moved_to {
        let message = format!(
            "The access token is from the wrong issuer 'https://sts.windows.net/{}/'. It must match the tenant \
             'https://sts.windows.net/{other}/' associated with this subscription. Please use the authority \
             (URL) 'https://login.windows.net/{other}' to get the token.",
            caller.bearer.tenant_id
        );
        return Err(Reply::error(401, "InvalidAuthenticationTokenTenant", &message));
    }
    if overlay.gone { Err(missing(subscription)) } else { Ok(()) }
}

fn missing(subscription: Uuid) -> Reply {
    let message = format!("The subscription '{subscription}' could not be found.");
    Reply::error(404, "SubscriptionNotFound", &message)
}

fn row(caller: &Caller<'_>, directory: &Directory, subscription: &Subscription) -> Value {
    let world = &caller.state.world;
    let state = if directory.is_disabled(world, subscription.id) { "Disabled" } else { "Enabled" };
    json!({
        "id": format!("/subscriptions/{}", subscription.id), "authorizationSource": "RoleBased",
        "managedByTenants": [], "subscriptionId": subscription.id, "tenantId": world.tenant_id,
        "displayName": subscription.name, "state": state,
        "tags": tags::of_subscription(directory.overlays.get(&subscription.id), subscription),
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}
