//! The mutation `addSubscriptions`: another owner consents for what only they own.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::subscription::{self, AccessLevel};
use entity::{Work, consent, operation};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter};
use serde_json::json;
use url::Url;
use uuid::Uuid;
use worker::window::READ;

use super::{Consent, keep_windows_open};
use crate::consent::ask_within;
use crate::graphql::ids::Kind;
use crate::graphql::operation::{Operation, announce};
use crate::graphql::pager::check_length;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::object;
use crate::graphql::tenant::lock_connected;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::permission::Permission;

/// Which subscriptions to add.
#[derive(InputObject)]
#[graphql(name = "AddSubscriptionsInput")]
pub struct AddSubscriptionsInput {
    /// The tenant, which is connected already.
    tenant_id: ID,
    /// The subscriptions, all of this tenant, at most 500; by default whatever the consenting user sees.
    #[graphql(default)]
    subscription_ids: Vec<ID>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// What was begun, or why nothing was.
#[derive(SimpleObject)]
#[graphql(name = "AddSubscriptionsPayload")]
pub struct AddSubscriptionsPayload {
    /// The consent that is asked for, or in whose window the operation goes on.
    consent: Option<Consent>,
    /// Where the consenting user has to go, within ten minutes and once; null if a window is open. It is told here
    /// and nowhere else.
    authorization_url: Option<String>,
    /// The operation that has begun, if a window is open; else it begins by itself once the consent is granted.
    operation: Option<Operation>,
    /// Why nothing was begun.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct AddSubscriptions;

#[Object(name = "AddSubscriptionsMutation")]
impl AddSubscriptions {
    /// Asks for a consent for subscriptions of a tenant that is connected already, by another owner. What is granted
    /// already is not touched. If a window of the tenant is held open, it is used at once instead. Needs the
    /// role `EDITOR`, or the scope `consents:write`.
    /// `userErrors`: `NOT_FOUND`, `NOT_CONNECTED`, `ALREADY_GRANTED`.
    async fn add_subscriptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which subscriptions to add.")] input: AddSubscriptionsInput,
    ) -> Option<AddSubscriptionsPayload> {
        let outcome = add(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (begun, user_errors) = halves(outcome);
                let (consent, next) = begun.unzip();
                let (authorization_url, operation) = match next {
                    Some(Next::Consent(url)) => (Some(String::from(url)), None),
                    Some(Next::Operation(operation)) => (None, object(*operation)),
                    None => (None, None),
                };
                Some(AddSubscriptionsPayload {
                    consent: consent.and_then(object),
                    authorization_url,
                    operation,
                    user_errors,
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

/// What follows.
enum Next {
    /// The consenting user goes there.
    Consent(Url),
    /// This has begun.
    Operation(Box<operation::Model>),
}

type Begun = (consent::Model, Next);

async fn add(ctx: &Context<'_>, input: &AddSubscriptionsInput) -> Outcome<Begun> {
    let scope = Scope::of(ctx, Permission::StartConsents)?;
    let tenant_id = Kind::Tenant.row(&input.tenant_id)?;
    check_length("subscriptionIds", &input.subscription_ids)?;
    let mut subscriptions = Kind::Subscription.rows(&input.subscription_ids)?;
    subscriptions.sort_unstable();
    subscriptions.dedup();
    let begun = begin(scope, tenant_id, subscriptions).await.map_err(|error| internal(&error))?;
    if let Ok((_, Next::Operation(operation))) = &begun {
        announce(scope, operation).await;
    }
    Ok(begun)
}

async fn begin(
    scope: Scope<'_>,
    tenant_id: Uuid,
    subscriptions: Vec<Uuid>,
) -> Result<Result<Begun, UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let tenant = match lock_connected(scope, tenant_id, &transaction).await? {
        Ok(tenant) => tenant,
        Err(error) => return Ok(Err(error)),
    };
    if let Err(error) = check(scope, tenant_id, &subscriptions, &transaction).await? {
        return Ok(Err(error));
    }
    let work = Work::Onboard { subscriptions };
    let open = keep_windows_open(scope, tenant_id, READ, &transaction).await?;
    let begun = if let Some(consent) = open.into_iter().find(|consent| consent.work() == Work::Hold) {
        let operation = begin_in(scope, &consent, tenant_id, work, &transaction).await?;
        (consent, Next::Operation(Box::new(operation)))
    } else {
        let asking = scope.asking(tenant.entra_tenant_id, work);
        let (consent, url) = ask_within(scope.services, &transaction, asking, None).await?;
        (consent, Next::Consent(url))
    };
    transaction.commit().await?;
    tracing::info!(consent.id = %begun.0.id, tenant.id = %tenant_id, "more subscriptions asked for");
    Ok(Ok(begun))
}

/// Whether the tenant has all of them, and some of them have to be granted yet.
async fn check(
    scope: Scope<'_>,
    tenant_id: Uuid,
    subscriptions: &[Uuid],
    transaction: &DatabaseTransaction,
) -> Result<Result<(), UserError>, DbErr> {
    if subscriptions.is_empty() {
        return Ok(Ok(()));
    }
    let refused = |code, message| Ok(Err(UserError::new(code, "subscriptionIds", message)));
    let found = scope
        .owned::<subscription::Entity>()
        .filter(subscription::Column::TenantId.eq(tenant_id))
        .filter(subscription::Column::Id.is_in(subscriptions.iter().copied()))
        .all(transaction)
        .await?;
    if found.len() < subscriptions.len() {
        return refused(UserErrorCode::NotFound, "Not all of these are subscriptions of this tenant.");
    }
    // What was found to be lost since has to be granted again.
    let is_granted = |one: &subscription::Model| one.access_level != AccessLevel::None && one.stale.is_none();
    if found.iter().all(is_granted) {
        return refused(
            UserErrorCode::AlreadyGranted,
            "All of these can be read already. `changeAccess` changes what may be done with their tags.",
        );
    }
    Ok(Ok(()))
}

/// The operation under `consent`; the same one, if it has not ended yet.
async fn begin_in(
    scope: Scope<'_>,
    consent: &consent::Model,
    tenant_id: Uuid,
    work: Work,
    transaction: &DatabaseTransaction,
) -> Result<operation::Model, DbErr> {
    let under_way = scope
        .owned::<operation::Entity>()
        .filter(operation::Column::ConsentId.eq(consent.id))
        .filter(operation::Column::State.is_in([operation::State::Queued, operation::State::Running]))
        .all(transaction)
        .await?;
    if let Some(same) = under_way.into_iter().find(|operation| operation.work.as_ref() == Some(&work)) {
        return Ok(same);
    }
    let request = scope.operation(tenant_id, Some(consent.id), work);
    let stored = worker::operations::store(transaction, request, scope.services.clock.now()).await?;
    let operation = stored.ok_or(DbErr::RecordNotInserted)?;
    let record = Record::of(Action::OnboardingStarted, ObjectKind::Tenant, tenant_id).after(json!({
        "operation": Kind::Operation.id(operation.id),
        "consent": Kind::Consent.id(consent.id),
        "work": operation.work,
    }));
    scope.audit(transaction, record).await?;
    Ok(operation)
}
