//! The consent to Office 365. Nothing that comes back from Microsoft's page for administrators is signed, and whoever
//! knows the address of the return could make it up: for a tenant whose administrator has consented before, for
//! somebody else, that would open the tenant's data to them. So the administrator signs in first, which is signed; then
//! consents; and what was granted is read from a token of our own.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-admin-consent>

use entity::{Failure, FixableBy, consent};
use microsoft::Identity;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};
use secrecy::ExposeSecret;
use url::Url;
use uuid::Uuid;

use super::callback::{Returned, wrong_tenant};
use crate::services::Services;
use crate::sign_in::random_secret;

/// Templates of the roles whose holders may grant application permissions of Microsoft Graph: Global Administrator and
/// Privileged Role Administrator.
///
/// <https://learn.microsoft.com/en-us/entra/identity/enterprise-apps/grant-admin-consent>
const ADMINISTRATORS: [Uuid; 2] = [
    Uuid::from_u128(0x62e9_0394_69f5_4237_9190_0121_7714_5e10),
    Uuid::from_u128(0xe861_1ab8_c189_46e8_94e1_6021_3ab1_f814),
];

/// Whether who signed in may consent for the whole tenant.
pub(super) fn check_administrator(identity: &Identity) -> Result<(), Failure> {
    match &identity.directory_roles {
        Some(roles) if ADMINISTRATORS.iter().any(|role| roles.contains(role)) => Ok(()),
        Some(_) => Err(Failure::new(
            "ADMINISTRATOR_REQUIRED",
            true,
            FixableBy::GlobalAdministrator,
            "Who signed in is no administrator of the tenant. Ask again, and let a Global Administrator or a Privileged \
             Role Administrator follow the link.",
        )),
        None => Err(Failure::new(
            "ADMINISTRATOR_NOT_PROVEN",
            true,
            FixableBy::Operator,
            "Microsoft does not say whether who signed in is an administrator of the tenant. Whoever runs this \
             installation has to set groupMembershipClaims to DirectoryRole in the manifest of its app registration; \
             then ask again.",
        )),
    }
}

/// Lets the same browser go on to where its administrator consents; it comes back with another state.
pub(super) async fn ask_administrator(
    services: &Services,
    consent: &consent::Model,
    administrator: Identity,
) -> Result<Url, DbErr> {
    let state = random_secret();
    consent::Entity::update_many()
        .set(consent::ActiveModel {
            state: Set(consent::State::Pending),
            state_hash: Set(consent::hash(state.expose_secret())),
            consenting_user_id: Set(administrator.object_id),
            ..Default::default()
        })
        .filter(consent::Column::Id.eq(consent.id))
        .filter(consent::Column::State.eq(consent::State::Returned))
        .exec(&services.database)
        .await?;
    let login = services.microsoft.login();
    Ok(login.admin_consent_url(&consent.entra_tenant_id.to_string(), &state))
}

/// The administrator who consented, and signed in before; where for is said by nobody, but must not be said wrongly.
pub(super) fn administrators(consent: &consent::Model, returned: &Returned) -> Result<Option<Uuid>, Failure> {
    let is_given = returned.admin_consent.as_deref().is_some_and(|given| given.eq_ignore_ascii_case("true"));
    // What a sign-in is asked for with is erased once somebody has come back from it.
    let has_signed_in = consent.sealed_request.is_none();
    if !is_given || !has_signed_in {
        return Err(Failure::new(
            "CONSENT_INCOMPLETE",
            true,
            FixableBy::Member,
            "Microsoft's answer does not say that the administrator consented. Ask for a new consent.",
        ));
    }
    let named = returned.tenant.as_deref().map(Uuid::try_parse);
    match named {
        Some(Ok(tenant)) if tenant != consent.entra_tenant_id => Err(wrong_tenant()),
        _ => Ok(consent.consenting_user_id),
    }
}
