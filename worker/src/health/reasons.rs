//! What a person is told of each thing that can be wrong with a tenant.

use chrono::{DateTime, Utc};
use entity::{Failure, FixableBy};

/// Codes of reasons that are not true any more once the subscription could be read.
pub(super) const LOST: [&str; 4] =
    ["ACCESS_LOST", "ROLE_REMOVED", "SUBSCRIPTION_DELETED", "SUBSCRIPTION_MOVED"];

/// What a scan says of a subscription that it does not see: a check finds out which of the others it is.
pub(super) const ACCESS_LOST: &str = LOST[0];

/// The service principal has no role any more.
pub(crate) fn role_removed() -> Failure {
    Failure::new(
        "ROLE_REMOVED",
        false,
        FixableBy::SubscriptionOwner,
        "The service principal has no role on this subscription any more: somebody removed it. The inventory is kept \
         as it was. Ask an owner of the subscription to consent again.",
    )
}

/// The service principal can read still, and not write tags.
pub(crate) fn write_role_removed() -> Failure {
    Failure::new(
        "WRITE_ROLE_REMOVED",
        false,
        FixableBy::SubscriptionOwner,
        "The service principal may not write tags on this subscription any more: somebody removed its role. Ask an \
         owner of the subscription to consent, and set the access level again.",
    )
}

/// Azure does not know the subscription.
pub(crate) fn subscription_deleted() -> Failure {
    Failure::new(
        "SUBSCRIPTION_DELETED",
        false,
        FixableBy::SubscriptionOwner,
        "Azure does not know this subscription any more: it was deleted. The inventory is kept as it was. If that was \
         a mistake, its owner can reactivate it within 90 days.",
    )
}

/// The subscription is in another tenant.
pub(crate) fn subscription_moved() -> Failure {
    Failure::new(
        "SUBSCRIPTION_MOVED",
        false,
        FixableBy::SubscriptionOwner,
        "This subscription was moved to another tenant, and every role on it is gone. The inventory is kept as it was. \
         Connect the other tenant, and ask an owner to consent there.",
    )
}

/// The subscription is read-only.
pub(crate) fn subscription_disabled() -> Failure {
    Failure::new(
        "SUBSCRIPTION_DISABLED",
        false,
        FixableBy::SubscriptionOwner,
        "This subscription is disabled in Azure, so nothing in it can be changed. Its owner has to enable it; Azure's \
         portal says why it was disabled.",
    )
}

/// Somebody deleted the service principal, and a consent created another one.
pub(crate) fn principal_recreated() -> Failure {
    Failure::new(
        "SERVICE_PRINCIPAL_RECREATED",
        false,
        FixableBy::SubscriptionOwner,
        "Tenantry's enterprise application was deleted in the tenant and created again, so every role it had is void. \
         Ask the owners of the subscriptions to consent again.",
    )
}

/// The tenant itself is not there.
pub(crate) fn tenant_gone() -> Failure {
    Failure::new(
        "TENANT_GONE",
        false,
        FixableBy::GlobalAdministrator,
        "Microsoft does not know this tenant any more: it was deleted. The inventory is kept as it was. If that was a \
         mistake, an administrator can restore the tenant within 30 days.",
    )
}

/// Our client secret expires soon; or it should have, and works.
pub(crate) fn secret_expires(at: DateTime<Utc>, now: DateTime<Utc>) -> Failure {
    let day = at.format("%Y-%m-%d");
    let message = if at > now {
        format!(
            "Tenantry's client secret expires on {day}, and nothing of this tenant can be read then. Create a new one \
             in the app registration, configure it, and set TENANTRY_CLIENT_SECRET_EXPIRES to its date."
        )
    } else {
        format!(
            "TENANTRY_CLIENT_SECRET_EXPIRES says {day}, which is past. If the client secret was replaced, set the date \
             of the new one; otherwise replace it now."
        )
    };
    Failure::new("CLIENT_SECRET_EXPIRES", false, FixableBy::Operator, message)
}
