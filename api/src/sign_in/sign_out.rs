//! Ends the session of a browser.

use entity::audit_event::{Action, Actor, ObjectKind, Record};
use entity::session::{self, Column};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::services::Services;
use crate::viewer::Origin;

/// Ends the session that a cookie names; one that has ended stays as it is.
pub async fn sign_out(services: &Services, cookie: &SecretString, origin: &Origin) -> Result<(), DbErr> {
    let transaction = services.begin().await?;
    let found = session::Entity::by_cookie(cookie.expose_secret()).one(&transaction).await?;
    let Some(session) = found.filter(|session| session.ended_at.is_none()) else { return Ok(()) };
    let ended = session::ActiveModel { ended_at: Set(Some(services.clock.now())), ..Default::default() };
    session::Entity::update_many().set(ended).filter(Column::Id.eq(session.id)).exec(&transaction).await?;
    let now = services.clock.now();
    let record =
        Record::of(Action::SignedOut, ObjectKind::Session, session.id).after(json!({ "endedAt": now }));
    let author = origin.clone().author(session.organization_id, Actor::Member(session.member_id));
    worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    transaction.commit().await?;
    tracing::info!(session.id = %session.id, member.id = %session.member_id, "signed out");
    Ok(())
}
