//! Asks for a consent, and sends the browser that follows the link to Microsoft.

use entity::audit_event::{Action, Author, ObjectKind, Record};
use entity::consent::{self, Kind, State};
use entity::{Owned, Work, tenant};
use microsoft::{AuthorizationRequest, MicrosoftError};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, Set,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::{SealedRequest, pending, purpose};
use crate::page::Page;
use crate::services::Services;
use crate::sign_in::random_secret;
use crate::viewer::{Origin, Viewer};

/// The longest domain name there is.
const LONGEST_DOMAIN: usize = 253;

/// Why a consent could not be asked for.
#[derive(Debug, thiserror::Error)]
pub enum StartConsentError {
    /// What was given is neither a GUID nor a domain name.
    #[error("Give the tenant's GUID, or a domain name that is verified in it, such as contoso.com.")]
    InvalidTenant,
    /// Microsoft knows no such tenant.
    #[error("Microsoft knows no tenant of this GUID or domain name. Check the spelling.")]
    TenantNotFound,
    /// The viewer is limited to other tenants.
    #[error("You are limited to other tenants. Ask an ADMIN of your organization to start this consent.")]
    OutsideReach,
    /// Microsoft could not be asked.
    #[error("{}", .0.person_message())]
    Microsoft(#[source] MicrosoftError),
    /// The consent could not be stored.
    #[error("The consent could not be stored. Try again.")]
    Database(#[from] DbErr),
}

impl StartConsentError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidTenant => "INVALID_TENANT",
            Self::TenantNotFound => "TENANT_NOT_FOUND",
            Self::OutsideReach => "OUTSIDE_REACH",
            Self::Microsoft(error) => error.code(),
            Self::Database(_) => "INTERNAL",
        }
    }
}

/// Asks for a consent of `tenant`, a GUID or a verified domain name, on behalf of `viewer`, who asks from `origin`;
/// `work` is what it begins. Answers the consent and the link that the consenting user has to follow within ten
/// minutes.
pub async fn start(
    services: &Services,
    viewer: &Viewer,
    origin: Option<&Origin>,
    tenant: &str,
    work: Work,
) -> Result<(consent::Model, Url), StartConsentError> {
    let tenant = tenant.trim();
    if !is_tenant(tenant) {
        return Err(StartConsentError::InvalidTenant);
    }
    let entra_tenant_id =
        services.microsoft.login().resolve_tenant(tenant).await.map_err(|error| match error {
            MicrosoftError::NotFound { .. } => StartConsentError::TenantNotFound,
            error => StartConsentError::Microsoft(error),
        })?;
    if let Some(holder) = viewer.limited_by
        && !reaches(services, viewer, holder, entra_tenant_id).await?
    {
        return Err(StartConsentError::OutsideReach);
    }
    let asking = Asking {
        organization_id: viewer.organization_id,
        member_id: viewer.member_id,
        entra_tenant_id,
        work,
        author: viewer.author(origin),
    };
    Ok(ask(services, asking).await?)
}

/// A consent to be asked for, of a tenant that is known.
pub struct Asking {
    /// The organization it is for.
    pub organization_id: Uuid,
    /// The member who asks.
    pub member_id: Uuid,
    /// Microsoft's id of the tenant.
    pub entra_tenant_id: Uuid,
    /// What it begins once it is granted.
    pub work: Work,
    /// Who asks, as the audit has it.
    pub author: Author,
}

/// Stores a consent that is asked for; answers it, and the link that the consenting user has to follow.
pub async fn ask(services: &Services, asking: Asking) -> Result<(consent::Model, Url), DbErr> {
    let transaction = services.begin().await?;
    let asked = ask_within(services, &transaction, asking, None).await?;
    transaction.commit().await?;
    tracing::info!(consent.id = %asked.0.id, "consent asked for");
    Ok(asked)
}

/// The same as the last change of a transaction; `owner_link` is what starts it, if a link does.
pub(crate) async fn ask_within(
    services: &Services,
    transaction: &DatabaseTransaction,
    asking: Asking,
    owner_link: Option<Uuid>,
) -> Result<(consent::Model, Url), DbErr> {
    let Asking { organization_id, member_id, entra_tenant_id, work, author } = asking;
    let id = Uuid::now_v7();
    let state = random_secret();
    let request = SealedRequest {
        nonce: random_secret().expose_secret().to_owned(),
        code_verifier: random_secret().expose_secret().to_owned(),
    };
    let now = services.clock.now();
    let asked = consent::ActiveModel {
        id: Set(id),
        organization_id: Set(organization_id),
        member_id: Set(member_id),
        kind: Set(if work == Work::LoadOffice { Kind::Office365 } else { Kind::Azure }),
        entra_tenant_id: Set(entra_tenant_id),
        tenant_id: Set(None),
        state: Set(State::Pending),
        failure: Set(None),
        state_hash: Set(consent::hash(state.expose_secret())),
        browser_hash: Set(None),
        sealed_request: Set(Some(request.seal(&services.keyring, &consent::row(id)))),
        sealed_token: Set(None),
        consenting_user_id: Set(None),
        created_at: Set(now),
        expires_at: Set(now + consent::STATE_LIFETIME),
        granted_at: Set(None),
        window_closes_at: Set(None),
        erased_at: Set(None),
        work: Set(Some(work)),
        owner_link_id: Set(owner_link),
        ..Default::default()
    };
    let asked = asked.insert(transaction).await?;
    let record = Record::of(Action::ConsentStarted, ObjectKind::Consent, id).after(json!({
        "kind": asked.kind.to_value(),
        "entraTenantId": entra_tenant_id,
        "state": asked.state.to_value(),
        "expiresAt": asked.expires_at,
        "work": asked.work,
        "ownerLink": owner_link.map(|id| format!("owner-link:{id}")),
    }));
    worker::audit::append(transaction, &services.keyring, now, &author, record).await?;
    let mut link = services.public_url.clone();
    link.set_path("/consent/start");
    link.query_pairs_mut().clear().append_pair("state", state.expose_secret());
    Ok((asked, link))
}

/// Whether somebody who is limited reaches the tenant; one that is not connected yet is reached by nobody who
/// is.
async fn reaches(
    services: &Services,
    viewer: &Viewer,
    holder: Uuid,
    entra_tenant_id: Uuid,
) -> Result<bool, DbErr> {
    let reached = tenant::Entity::within(tenant::Entity::owned_by(viewer.organization_id), holder);
    let reached = reached.filter(tenant::Column::EntraTenantId.eq(entra_tenant_id));
    Ok(reached.count(&services.database).await? > 0)
}

/// A browser follows the link: answers where Microsoft asks for the consent, and the secret by which this
/// browser is known when it comes back; or the page that says why the link is no good.
pub async fn visit(services: &Services, state: &SecretString) -> Result<(Url, SecretString), Page> {
    let consent = pending(services, state).await?;
    let request = SealedRequest::open(services, &consent).await.ok_or_else(Page::expired)?;
    let browser = random_secret();
    consent::Entity::update_many()
        .set(consent::ActiveModel {
            browser_hash: Set(Some(consent::hash(browser.expose_secret()))),
            ..Default::default()
        })
        .filter(consent::Column::Id.eq(consent.id))
        .filter(consent::Column::State.eq(State::Pending))
        .exec(&services.database)
        .await
        .map_err(|error| Page::broken(&error))?;
    let url = services.microsoft.login().authorization_url(&AuthorizationRequest {
        purpose: purpose(consent.kind),
        tenant: consent.entra_tenant_id,
        state: state.clone(),
        nonce: SecretString::from(request.nonce),
        code_verifier: SecretString::from(request.code_verifier),
    });
    Ok((url, browser))
}

fn is_tenant(tenant: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = tenant.contains('.') && tenant.len() <= LONGEST_DOMAIN && tenant.split('.').all(is_label);
    is_domain || Uuid::try_parse(tenant).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_tenant;

    #[test]
    fn takes_guids_and_domain_names_only() {
        for good in ["contoso.com", "a-b.onmicrosoft.com", "8d3bb2a1-3c53-4d21-9a3b-0f7c7c5b0f55"] {
            assert!(is_tenant(good), "{good}");
        }
        let long = format!("{}.com", "a".repeat(64));
        for bad in ["", "contoso", "common", "a..b", "-a.com", "a/b.com", "a.com?x", "../x.y", long.as_str()]
        {
            assert!(!is_tenant(bad), "{bad}");
        }
    }
}
