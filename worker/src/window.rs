//! The delegated token of a consent: opened for one call's work, erased when nothing needs it any more.

use chrono::TimeDelta;
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::{Owned, consent};
use microsoft::Caller;
use sea_orm::prelude::Expr;
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Set, Value};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::{audit, keys, transaction};

/// What one delegated call may take: it is not begun closer than this to the window's end.
const CALL: TimeDelta = TimeDelta::seconds(45);

/// The consenting user's token, if the window is open for at least one more call.
pub async fn open(
    context: &Context,
    organization_id: Uuid,
    consent_id: Option<Uuid>,
) -> Result<Option<Caller>, JobError> {
    let Some(consent_id) = consent_id else { return Ok(None) };
    let consent = consent::Entity::owned_by(organization_id)
        .filter(consent::Column::Id.eq(consent_id))
        .one(&context.database)
        .await?;
    let Some(consent) = consent.filter(|consent| consent.is_open(context.clock.now() + CALL)) else {
        return Ok(None);
    };
    let Some(sealed) = &consent.sealed_token else { return Ok(None) };
    let token = keys::open_text(&context.database, &context.keyring, sealed, &consent.row())
        .await
        .map_err(|error| JobError::Fail(anyhow::Error::new(error).context("opening the delegated token")))?;
    Ok(Some(Caller::Delegated { tenant: consent.entra_tenant_id, token }))
}

/// Erases the delegated token and closes the window. Nothing happens if that was done before.
pub async fn close(
    context: &Context,
    organization_id: Uuid,
    consent_id: Option<Uuid>,
) -> Result<(), JobError> {
    let Some(consent_id) = consent_id else { return Ok(()) };
    let open = consent::Entity::owned_by(organization_id)
        .filter(consent::Column::Id.eq(consent_id))
        .filter(consent::Column::State.eq(consent::State::Granted));
    // It is asked for after every step, and once there is something to do.
    if open.count(&context.database).await? == 0 {
        return Ok(());
    }
    let now = context.clock.now();
    let transaction = transaction::begin(&context.database).await?;
    let erased = consent::ActiveModel {
        state: Set(consent::State::Closed),
        sealed_token: Set(None),
        erased_at: Set(Some(now)),
        ..Default::default()
    };
    let closed = consent::Entity::update_many()
        .set(erased)
        .filter(consent::Column::Id.eq(consent_id))
        .filter(consent::Column::State.eq(consent::State::Granted))
        .exec(&transaction)
        .await?;
    if closed.rows_affected > 0 {
        let record = Record::of(Action::DelegatedTokenErased, ObjectKind::Consent, consent_id)
            .before(json!({ "state": "GRANTED" }))
            .after(json!({ "state": "CLOSED" }));
        let author = Author::unasked(organization_id, Actor::System);
        audit::append(&transaction, &context.keyring, now, &author, record).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Marks the consents that nobody came back for, and erases every token whose window has closed.
pub async fn sweep(context: &Context) -> Result<(), JobError> {
    let now = context.clock.now();
    for consent in consent::Entity::never_returned(now).all(&context.database).await? {
        expire(context, &consent).await?;
    }
    for consent in consent::Entity::window_passed(now).all(&context.database).await? {
        close(context, consent.organization_id, Some(consent.id)).await?;
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
    Ok(())
}
