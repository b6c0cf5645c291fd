//! The consent window: opened for one step's work, watched at every call, closed when nothing needs it any more.

mod gate;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::consent::{self, Closed};
use entity::{Clock, Keyring, Owned, operation};
use microsoft::{Caller, MicrosoftError};
use sea_orm::prelude::Expr;
use sea_orm::{
    ActiveEnum, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
    Set, Value,
};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::progress::Progress;
use crate::queue::Queue;
use crate::{audit, keys, operations, owners, transaction};

pub use gate::{CHANGE, READ};

use gate::Gate;

/// The consenting user, if the window is open for at least one more call.
pub async fn open<'a>(
    means: impl Into<Means<'a>>,
    organization_id: Uuid,
    consent_id: Option<Uuid>,
) -> Result<Option<Open>, JobError> {
    let means = means.into();
    let found = find(means.database, organization_id, consent_id).await?;
    let Some(consent) = found else { return Ok(None) };
    if consent.remaining(means.clock.now()) <= READ {
        return Ok(None);
    }
    let (Some(sealed), Some(closes_at)) = (&consent.sealed_token, consent.window_closes_at) else {
        return Ok(None);
    };
    let token = keys::open_text(means.database, means.keyring, sealed, &consent.row())
        .await
        .map_err(|error| JobError::Fail(anyhow::Error::new(error).context("opening the delegated token")))?;
    let gate = Gate::new(means, organization_id, consent.id, closes_at);
    let tenant = consent.entra_tenant_id;
    Ok(Some(Open { user: Caller::Delegated { tenant, token, watch: Arc::new(gate) }, closes_at }))
}

/// A window that is open.
pub struct Open {
    /// The consenting user.
    pub user: Caller,
    /// When it closes at the latest.
    pub closes_at: DateTime<Utc>,
}

/// When the window of `consent_id` closes, if it is open: the deadline of whatever needs it.
pub(crate) async fn closes_at(
    context: &Context,
    organization_id: Uuid,
    consent_id: Option<Uuid>,
) -> Result<Option<DateTime<Utc>>, JobError> {
    let consent = find(&context.database, organization_id, consent_id).await?;
    let open = consent.filter(|consent| consent.is_open(context.clock.now()));
    Ok(open.and_then(|consent| consent.window_closes_at))
}

async fn find(
    database: &DatabaseConnection,
    organization_id: Uuid,
    consent_id: Option<Uuid>,
) -> Result<Option<consent::Model>, JobError> {
    let Some(consent_id) = consent_id else { return Ok(None) };
    let found = consent::Entity::owned_by(organization_id)
        .filter(consent::Column::Id.eq(consent_id))
        .one(database)
        .await?;
    Ok(found)
}

/// Why an error of a delegated call closes the window, if it does: the token is of no use any more, anywhere.
pub(crate) fn closed_by(error: &MicrosoftError) -> Option<Closed> {
    match error {
        MicrosoftError::TokenExpired { .. } | MicrosoftError::ConsentWithdrawn { .. } => {
            Some(Closed::TokenRefused)
        }
        MicrosoftError::InteractionRequired { .. } => Some(Closed::SignInDemanded),
        _ => None,
    }
}

/// Closes the window if nothing is left to do that needs it; one that is held open stays so.
pub(crate) async fn close_if_idle(
    context: &Context,
    organization_id: Uuid,
    consent_id: Option<Uuid>,
) -> Result<(), JobError> {
    let Some(consent) = find(&context.database, organization_id, consent_id).await? else { return Ok(()) };
    // It is asked for after every step, and once there is something to do.
    if consent.state != consent::State::Granted
        || operation::Entity::needing_window(consent.id).one(&context.database).await?.is_some()
    {
        return Ok(());
    }
    owners::remember(context, &consent).await?;
    if consent.work() == entity::Work::Hold {
        return Ok(());
    }
    let transaction = transaction::begin(&context.database).await?;
    // Whoever begins other work under this consent holds the row, so it is looked at again.
    let held = consent::Entity::owned_by(organization_id).filter(consent::Column::Id.eq(consent.id));
    held.lock_exclusive().one(&transaction).await?;
    if operation::Entity::needing_window(consent.id).one(&transaction).await?.is_none() {
        erase(&Means::from(context), &transaction, &consent, Closed::WorkDone, &nobody(&consent)).await?;
    }
    transaction.commit().await?;
    context.progress.publish(consent.id).await;
    Ok(())
}

/// What it takes to open a window and to close it: workers have it, and so has the api.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The truth.
    pub database: &'a DatabaseConnection,
    /// Seals the audit.
    pub keyring: &'a Keyring,
    /// The time.
    pub clock: &'a Clock,
    /// Where jobs are pushed.
    pub queue: &'a Queue,
    /// Where live queries hear that a consent moved on.
    pub progress: &'a Progress,
}

impl<'a> From<&'a Context> for Means<'a> {
    fn from(context: &'a Context) -> Self {
        let Context { database, keyring, clock, queue, progress, .. } = context;
        Self { database, keyring, clock, queue, progress }
    }
}

/// Erases the delegated token and closes the window at once; what still needs it is told. Nothing happens if that
/// was done before.
pub async fn close<'a>(
    means: impl Into<Means<'a>>,
    consent: &consent::Model,
    because: Closed,
) -> Result<(), JobError> {
    close_as(means.into(), consent, because, &nobody(consent)).await.map(drop)
}

/// The same for `author`, who asked for it. False: that was done before.
pub async fn close_as(
    means: Means<'_>,
    consent: &consent::Model,
    because: Closed,
    author: &Author,
) -> Result<bool, JobError> {
    let transaction = transaction::begin(means.database).await?;
    let has_closed = erase(&means, &transaction, consent, because, author).await?;
    transaction.commit().await?;
    if has_closed {
        tracing::info!(consent.id = %consent.id, ?because, "consent window closed");
        means.progress.publish(consent.id).await;
        for operation in operation::Entity::needing_window(consent.id).all(means.database).await? {
            operations::ring(means.queue, &operation).await?;
        }
    }
    Ok(has_closed)
}

/// Nobody asked for it.
fn nobody(consent: &consent::Model) -> Author {
    Author::unasked(consent.organization_id, Actor::System)
}

/// The same by the consent's id.
pub(crate) async fn close_by_id(
    context: &Context,
    organization_id: Uuid,
    consent_id: Option<Uuid>,
    because: Closed,
) -> Result<(), JobError> {
    match find(&context.database, organization_id, consent_id).await? {
        Some(consent) => close(context, &consent, because).await,
        None => Ok(()),
    }
}

async fn erase(
    means: &Means<'_>,
    transaction: &DatabaseTransaction,
    consent: &consent::Model,
    because: Closed,
    author: &Author,
) -> Result<bool, JobError> {
    let now = means.clock.now();
    let erased = consent::ActiveModel {
        state: Set(consent::State::Closed),
        sealed_token: Set(None),
        erased_at: Set(Some(now)),
        closed_because: Set(Some(because)),
        ..Default::default()
    };
    let closed = consent::Entity::update_many()
        .set(erased)
        .filter(consent::Column::Id.eq(consent.id))
        .filter(consent::Column::State.eq(consent::State::Granted))
        .exec(transaction)
        .await?;
    if closed.rows_affected == 0 {
        return Ok(false);
    }
    let record = Record::of(Action::DelegatedTokenErased, ObjectKind::Consent, consent.id)
        .before(json!({ "state": "GRANTED" }))
        .after(json!({ "state": "CLOSED", "because": because.to_value() }));
    audit::append(transaction, means.keyring, now, author, record).await?;
    Ok(true)
}

/// Marks the consents that nobody came back for, and erases every token whose window has closed.
pub async fn sweep(context: &Context) -> Result<(), JobError> {
    let now = context.clock.now();
    for consent in consent::Entity::never_returned(now).all(&context.database).await? {
        expire(context, &consent).await?;
    }
    for consent in consent::Entity::window_passed(now).all(&context.database).await? {
        close(context, &consent, Closed::TimeOver).await?;
    }
    Ok(())
}

async fn expire(context: &Context, consent: &consent::Model) -> Result<(), JobError> {
    let failure = entity::Failure::new(
        "SIGN_IN_NEVER_RETURNED",
        true,
        entity::FixableBy::Member,
        "Nobody came back from Microsoft's sign-in within ten minutes. Ask for a new consent. If the \
         person saw an error page of Microsoft's, the redirect URI or the app registration is wrong.",
    );
    let record = Record::of(Action::ConsentExpired, ObjectKind::Consent, consent.id)
        .before(json!({ "state": consent.state.to_value() }))
        .after(json!({ "state": "EXPIRED", "failure": failure.code }));
    let transaction = transaction::begin(&context.database).await?;
    let expired = consent::Entity::update_many()
        .set(consent::ActiveModel {
            state: Set(consent::State::Expired),
            failure: Set(Some(failure)),
            ..Default::default()
        })
        .col_expr(consent::Column::SealedRequest, Expr::val(Value::Bytes(None)))
        .filter(consent::Column::Id.eq(consent.id))
        .filter(consent::Column::State.eq(consent.state))
        .exec(&transaction)
        .await?;
    if expired.rows_affected > 0 {
        let author = Author::unasked(consent.organization_id, Actor::System);
        audit::append(&transaction, &context.keyring, context.clock.now(), &author, record).await?;
    }
    transaction.commit().await?;
    context.progress.publish(consent.id).await;
    Ok(())
}
