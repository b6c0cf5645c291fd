//! The delegated token of a consent: opened for one call's work, erased when nothing needs it any more.

use chrono::TimeDelta;
use entity::{Owned, consent};
use microsoft::Caller;
use sea_orm::prelude::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set, Value};
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::keys;

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
pub async fn close(context: &Context, consent_id: Option<Uuid>) -> Result<(), JobError> {
    let Some(consent_id) = consent_id else { return Ok(()) };
    let erased = consent::ActiveModel {
        state: Set(consent::State::Closed),
        sealed_token: Set(None),
        erased_at: Set(Some(context.clock.now())),
        ..Default::default()
    };
    consent::Entity::update_many()
        .set(erased)
        .filter(consent::Column::Id.eq(consent_id))
        .filter(consent::Column::State.eq(consent::State::Granted))
        .exec(&context.database)
        .await?;
    Ok(())
}

/// Marks the consents that nobody came back for, and erases every token whose window has closed.
pub async fn sweep(context: &Context) -> Result<(), JobError> {
    let now = context.clock.now();
    for consent in consent::Entity::never_returned(now).all(&context.database).await? {
        let failure = entity::Failure::new(
            "SIGN_IN_NEVER_RETURNED",
            true,
            entity::FixableBy::Member,
            "Nobody came back from Microsoft's sign-in within ten minutes. Ask for a new consent. If the \
             person saw an error page of Microsoft's, the redirect URI or the app registration is wrong.",
        );
        consent::Entity::update_many()
            .set(consent::ActiveModel {
                state: Set(consent::State::Expired),
                failure: Set(Some(failure)),
                ..Default::default()
            })
            .col_expr(consent::Column::SealedRequest, Expr::val(Value::Bytes(None)))
            .filter(consent::Column::Id.eq(consent.id))
            .filter(consent::Column::State.eq(consent.state))
            .exec(&context.database)
            .await?;
    }
    for consent in consent::Entity::window_passed(now).all(&context.database).await? {
        close(context, Some(consent.id)).await?;
    }
    Ok(())
}
