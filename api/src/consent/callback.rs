//! What comes back from Microsoft's sign-in, and what is made of it.

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::consent::{self, Kind, State};
use entity::{Failure, FixableBy, Owned, Work, operation, tenant};
use microsoft::{DelegatedGrant, Identity, MicrosoftError};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveEnum, ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, QueryFilter, Set, Unchanged};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::begin::begin;
use super::{SealedRequest, office, pending, purpose};
use crate::owner_link;
use crate::page::Page;
use crate::services::Services;
use crate::viewer::Origin;

/// The query of a browser that comes back, and the secret it was marked with.
#[derive(Default)]
pub struct Returned {
    /// The state parameter.
    pub state: Option<SecretString>,
    /// The authorization code, if somebody signed in.
    pub code: Option<SecretString>,
    /// Microsoft's `admin_consent`, if an administrator was asked for the whole tenant.
    pub admin_consent: Option<String>,
    /// The tenant that comes with it: nobody signed it.
    pub tenant: Option<String>,
    /// Microsoft's `error`, if it was not.
    pub error: Option<String>,
    /// Microsoft's `error_subcode`.
    pub error_subcode: Option<String>,
    /// Microsoft's `error_description`.
    pub error_description: Option<String>,
    /// The cookie that [`super::visit`] gave the browser.
    pub browser: Option<SecretString>,
    /// From where it came.
    pub origin: Origin,
}

/// What becomes of a browser that came back.
pub enum Received {
    /// It is shown this page.
    Page(Page),
    /// It goes on to Microsoft, where the administrator decides.
    PassedOn(Url),
}

/// Takes what came back.
pub async fn receive(services: &Services, returned: Returned) -> Received {
    accept(services, returned).await.unwrap_or_else(Received::Page)
}

async fn accept(services: &Services, returned: Returned) -> Result<Received, Page> {
    let consent = claim(services, &returned).await?;
    services.progress.publish(consent.id).await;
    let answered = match grant(services, &consent, &returned).await {
        Ok(Granted::SignedIn(administrator)) => {
            let passed_on = office::ask_administrator(services, &consent, administrator).await;
            return passed_on.map(Received::PassedOn).map_err(|error| Page::broken(&error));
        }
        Ok(Granted::Consent(grant)) => store(services, &consent, &grant, &returned.origin).await,
        Err(refused) => Ok(Err(refused)),
    };
    let page = match answered.map_err(|error| Page::broken(&error))? {
        Ok(operations) => {
            tracing::info!(consent.id = %consent.id, "consent granted");
            for operation in operations {
                ring(services, &operation).await;
            }
            Ok(Page::granted(&consent.work()))
        }
        Err(refused) => give_back(services, &consent, &refused, &returned.origin).await,
    };
    services.progress.publish(consent.id).await;
    page.map(Received::Page)
}

/// There is no grant, or it comes at a time when nothing can be done with it.
async fn give_back(
    services: &Services,
    consent: &consent::Model,
    Refused { failure, correlation_id }: &Refused,
    origin: &Origin,
) -> Result<Page, Page> {
    tracing::warn!(consent.id = %consent.id, failure.code, failure.trace_id, "consent not granted");
    let refused = refuse(services, consent, failure, correlation_id.clone(), origin).await;
    refused.map_err(|error| Page::broken(&error))?;
    Err(Page::consent_refused(failure))
}

async fn ring(services: &Services, operation: &operation::Model) {
    // The row is stored: should the bell be lost, the sweep rings it.
    if let Err(error) = worker::operations::ring(&services.queue, operation).await {
        tracing::warn!(operation.id = %operation.id, %error, "the bell was not rung");
    }
}

/// Finds the consent and spends its state, so that a second delivery finds it spent.
async fn claim(services: &Services, returned: &Returned) -> Result<consent::Model, Page> {
    let state = returned.state.as_ref().ok_or_else(Page::unknown)?;
    let consent = pending(services, state).await?;
    let browser = returned.browser.as_ref().map(|browser| consent::hash(browser.expose_secret()));
    if browser.is_none() || browser != consent.browser_hash {
        return Err(Page::wrong_browser());
    }
    let spent = consent::Entity::update_many()
        .set(consent::ActiveModel {
            state: Set(State::Returned),
            sealed_request: Set(None),
            ..Default::default()
        })
        .filter(consent::Column::Id.eq(consent.id))
        .filter(consent::Column::State.eq(State::Pending))
        .exec(&services.database)
        .await
        .map_err(|error| Page::broken(&error))?;
    if spent.rows_affected == 0 {
        return Err(Page::already_received());
    }
    Ok(consent)
}

/// What somebody came back with.
enum Granted {
    /// The consent.
    Consent(Grant),
    /// An administrator said who they are; the consent itself is still to be asked for.
    SignedIn(Identity),
}

struct Grant {
    /// What lets us act in the user's name; none: nothing does.
    delegated: Option<Delegated>,
    user: Option<Uuid>,
}

struct Delegated {
    token: SecretString,
    expires_at: DateTime<Utc>,
}

/// Why there is no grant.
struct Refused {
    failure: Failure,
    /// By which Microsoft finds the call that it refused.
    correlation_id: Option<String>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, correlation_id: None }
    }
}

impl From<MicrosoftError> for Refused {
    fn from(error: MicrosoftError) -> Self {
        let correlation_id = error.correlation_id().map(str::to_owned);
        Self { failure: worker::failures::of_microsoft(&error), correlation_id }
    }
}

/// Looks what came back, and who it is from.
async fn grant(
    services: &Services,
    consent: &consent::Model,
    returned: &Returned,
) -> Result<Granted, Refused> {
    // Also beside an `admin_consent=True` this is what counts.
    if let Some(error) = &returned.error {
        let refusal = microsoft::authorization_refusal(
            error,
            returned.error_subcode.as_deref(),
            returned.error_description.as_deref(),
        );
        return Err(worker::failures::of_refusal(&refusal).into());
    }
    if consent.kind == Kind::Office365 && returned.admin_consent.is_some() {
        let user = office::administrators(consent, returned)?;
        return Ok(Granted::Consent(Grant { delegated: None, user }));
    }
    let (granted, identity) = sign_in(services, consent, returned).await?;
    if consent.kind == Kind::Office365 {
        office::check_administrator(&identity)?;
        return Ok(Granted::SignedIn(identity));
    }
    let delegated = Delegated { token: granted.access_token, expires_at: granted.expires_at };
    Ok(Granted::Consent(Grant { delegated: Some(delegated), user: identity.object_id }))
}

/// Exchanges the code and checks who it is from.
async fn sign_in(
    services: &Services,
    consent: &consent::Model,
    returned: &Returned,
) -> Result<(DelegatedGrant, Identity), Refused> {
    let incomplete = || {
        Failure::new(
            "SIGN_IN_INCOMPLETE",
            true,
            FixableBy::Member,
            "Microsoft's answer carried no authorization code. Ask for a new consent.",
        )
    };
    let code = returned.code.as_ref().ok_or_else(incomplete)?;
    let request = SealedRequest::open(services, consent).await.ok_or_else(incomplete)?;
    let login = services.microsoft.login();
    let verifier = SecretString::from(request.code_verifier);
    let granted =
        login.exchange_code(consent.entra_tenant_id, purpose(consent.kind), code, &verifier).await?;
    let identity =
        login.verify_id_token(granted.id_token.expose_secret(), &request.nonce).await.map_err(|error| {
            tracing::warn!(consent.id = %consent.id, %error, "id token refused");
            Failure::new(
                "SIGN_IN_NOT_VERIFIED",
                true,
                FixableBy::Member,
                "The sign-in could not be verified. Ask for a new consent; if it happens again, give the trace \
                 id to whoever runs this installation.",
            )
        })?;
    if identity.tenant_id != Some(consent.entra_tenant_id) {
        return Err(wrong_tenant().into());
    }
    Ok((granted, identity))
}

pub(super) fn wrong_tenant() -> Failure {
    Failure::new(
        "WRONG_TENANT",
        true,
        FixableBy::Member,
        "The sign-in was for another tenant than the one asked for. Ask again, and sign in with an account of the \
         right tenant.",
    )
}

async fn refuse(
    services: &Services,
    consent: &consent::Model,
    failure: &Failure,
    correlation_id: Option<String>,
    origin: &Origin,
) -> Result<(), DbErr> {
    let transaction = worker::transaction::begin(&services.database).await?;
    let refused = consent::ActiveModel {
        id: Unchanged(consent.id),
        state: Set(State::Refused),
        failure: Set(Some(failure.clone())),
        ..Default::default()
    };
    refused.update(&transaction).await?;
    let record = Record::of(Action::ConsentRefused, ObjectKind::Consent, consent.id)
        .before(json!({ "state": consent.state.to_value() }))
        .after(json!({ "state": "REFUSED", "failure": failure.code, "failureTraceId": failure.trace_id }))
        .correlated(correlation_id);
    let author = author(consent, None, origin);
    let now = services.clock.now();
    worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    transaction.commit().await
}

/// The consenting user, who comes with the link of a member and need not be one.
fn author(consent: &consent::Model, user: Option<Uuid>, origin: &Origin) -> Author {
    origin.clone().author(consent.organization_id, Actor::ConsentingUser(user))
}

/// Tenant, grant and operations are stored together or not at all.
async fn store(
    services: &Services,
    consent: &consent::Model,
    grant: &Grant,
    origin: &Origin,
) -> Result<Result<Vec<operation::Model>, Refused>, DbErr> {
    let now = services.clock.now();
    let window_closes_at = grant.delegated.as_ref().map(|grant| grant.expires_at.min(now + consent::WINDOW));
    let user = grant.user;
    let transaction = worker::transaction::begin(&services.database).await?;
    if !owner_link::spend(&transaction, consent, now).await? {
        return Ok(Err(owner_link::not_good().into()));
    }
    let tenant = ensure_tenant(&transaction, consent, now).await?;
    let tenant_id = tenant.id;
    if let Some(failure) = stands_in_the_way(&tenant, consent) {
        transaction.rollback().await?;
        return Ok(Err(failure.into()));
    }
    if tenant.state == tenant::State::Disconnected && connects(&consent.work()) {
        worker::disconnect::reconnect(&transaction, &tenant, now).await?;
    }
    if consent.kind == Kind::Office365 {
        worker::office::connect(&transaction, &tenant, consent.member_id, now).await?;
    }
    let token = grant.delegated.as_ref().map(|grant| grant.token.expose_secret().as_bytes());
    let granted = consent::ActiveModel {
        id: Unchanged(consent.id),
        tenant_id: Set(Some(tenant_id)),
        state: Set(State::Granted),
        sealed_token: Set(token.map(|token| services.keyring.seal(token, &consent.row()))),
        consenting_user_id: Set(user),
        granted_at: Set(Some(now)),
        window_closes_at: Set(window_closes_at),
        ..Default::default()
    };
    granted.update(&transaction).await?;
    let request = operation::Request {
        organization_id: consent.organization_id,
        member_id: consent.member_id,
        tenant_id,
        consent_id: Some(consent.id),
        work: consent.work(),
    };
    let operations = match begin(&transaction, request, now).await? {
        Ok(operations) => operations,
        Err(failure) => {
            transaction.rollback().await?;
            return Ok(Err(failure.into()));
        }
    };
    let operation = operations.iter().find(|operation| operation.consent_id.is_some());
    let record = Record::of(Action::ConsentGranted, ObjectKind::Consent, consent.id)
        .before(json!({ "state": consent.state.to_value() }))
        .after(json!({
            "state": "GRANTED",
            "tenant": format!("tenant:{tenant_id}"),
            "operation": operation.map(|operation| format!("operation:{}", operation.id)),
            "windowClosesAt": window_closes_at,
        }));
    let author = author(consent, user, origin);
    worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    if let Some(record) = owner_link::used(consent, now) {
        worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    }
    transaction.commit().await?;
    Ok(Ok(operations))
}

/// Why a grant is of no use now, if it is of none: the tenant was disconnected since it was asked for.
fn stands_in_the_way(tenant: &tenant::Model, consent: &consent::Model) -> Option<Failure> {
    let refused = |code, message| Some(Failure::new(code, true, FixableBy::Member, message));
    let work = consent.work();
    // Whoever disconnected the tenant decides whether it is connected again, and not an owner from outside.
    let may_reconnect = consent.owner_link_id.is_none() && connects(&work);
    match (tenant.state, work) {
        (_, Work::Disconnect { .. } | Work::Hold) => None,
        (tenant::State::Disconnecting, _) => refused(
            "TENANT_DISCONNECTING",
            "The tenant is being disconnected. Wait until that has ended, and ask for a new consent to connect it \
             again.",
        ),
        (tenant::State::Disconnected, _) if !may_reconnect => refused(
            "TENANT_DISCONNECTED",
            "The tenant was disconnected since this consent was asked for. Ask for a new one to connect it again.",
        ),
        _ => None,
    }
}

/// Whether it connects a tenant.
fn connects(work: &Work) -> bool {
    matches!(work, Work::Onboard { .. } | Work::LoadOffice)
}

async fn ensure_tenant(
    database: &impl sea_orm::ConnectionTrait,
    consent: &consent::Model,
    now: DateTime<Utc>,
) -> Result<tenant::Model, DbErr> {
    let tenant = tenant::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(consent.organization_id),
        entra_tenant_id: Set(consent.entra_tenant_id),
        display_name: Set(None),
        default_domain: Set(None),
        state: Set(tenant::State::Connecting),
        failure: Set(None),
        principal_id: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let known = OnConflict::columns([tenant::Column::OrganizationId, tenant::Column::EntraTenantId])
        .update_column(tenant::Column::UpdatedAt)
        .to_owned();
    tenant::Entity::insert_many([tenant]).on_conflict(known).exec_without_returning(database).await?;
    let stored = tenant::Entity::owned_by(consent.organization_id)
        .filter(tenant::Column::EntraTenantId.eq(consent.entra_tenant_id))
        .one(database)
        .await?;
    stored.ok_or_else(|| DbErr::RecordNotFound("the tenant just stored".to_owned()))
}
