//! Sessions: found by their cookie, used, replaced and ended.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::Clock;
use entity::consent::hash;
use entity::session::{self, Column, Cookie, LAST_SEEN, ROTATION};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, Set};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::TokenRefused;
use super::fresh::Fresh;
use crate::sign_in::random_secret;

/// Every session of this installation.
pub(super) struct Sessions {
    database: DatabaseConnection,
    clock: Clock,
    runtime: Handle,
    by_cookie: Fresh<Vec<u8>, Option<Arc<session::Model>>>,
    by_id: Fresh<Uuid, Option<Arc<session::Model>>>,
}

impl Sessions {
    pub(super) fn new(database: DatabaseConnection, clock: Clock, runtime: Handle) -> Self {
        Self {
            by_cookie: Fresh::new(runtime.clone()),
            by_id: Fresh::new(runtime.clone()),
            database,
            clock,
            runtime,
        }
    }

    /// The session that a cookie names, if it is open.
    pub(super) async fn of_cookie(&self, secret: &SecretString) -> Result<Arc<session::Model>, TokenRefused> {
        let (database, now) = (self.database.clone(), self.clock.now());
        let asked = secret.clone();
        let look = async move {
            let found = session::Entity::by_cookie(asked.expose_secret()).one(&database).await?;
            use_again(&database, found, Some(&asked), now).await
        };
        let found = self.by_cookie.get(hash(secret.expose_secret()), look).await?;
        self.open(found)
    }

    /// The session of a connection that began with its cookie, if it is still open.
    pub(super) async fn of_id(&self, id: Uuid) -> Result<Arc<session::Model>, TokenRefused> {
        let (database, now) = (self.database.clone(), self.clock.now());
        let look = async move {
            let found = session::Entity::by_id(id).one(&database).await?;
            use_again(&database, found, None, now).await
        };
        let found = self.by_id.get(id, look).await?;
        self.open(found)
    }

    fn open(&self, found: Option<Arc<session::Model>>) -> Result<Arc<session::Model>, TokenRefused> {
        found.filter(|session| session.is_open(self.clock.now())).ok_or(TokenRefused::SessionEnded)
    }

    /// A new cookie in the place of `secret`, once that is old; none while it is not, or when another request
    /// has just replaced it.
    pub(super) async fn renew(&self, secret: &SecretString) -> Option<SecretString> {
        let session = self.of_cookie(secret).await.ok()?;
        let now = self.clock.now();
        let is_due = session.rotated_at + ROTATION <= now
            && session.cookie(secret.expose_secret(), now) == Cookie::Current;
        if !is_due {
            return None;
        }
        let fresh = random_secret();
        let replaced = replace(self.database.clone(), session, fresh.clone(), now);
        match self.runtime.spawn(replaced).await.ok()? {
            Ok(true) => Some(fresh),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(%error, "a session's cookie was not replaced; the next request tries again");
                None
            }
        }
    }
}

/// Notes that a session is used, and ends one whose replaced cookie turns up long after.
async fn use_again(
    database: &DatabaseConnection,
    found: Option<session::Model>,
    secret: Option<&SecretString>,
    now: DateTime<Utc>,
) -> Result<Option<Arc<session::Model>>, DbErr> {
    let Some(mut session) = found.filter(|session| session.is_open(now)) else { return Ok(None) };
    let mut changed = session::ActiveModel::default();
    if secret.is_some_and(|secret| session.cookie(secret.expose_secret(), now) == Cookie::Stolen) {
        tracing::warn!(session.id = %session.id, "a replaced cookie was used again: the session is ended");
        session.ended_at = Some(now);
        changed.ended_at = Set(session.ended_at);
    } else if session.last_seen_at + LAST_SEEN <= now {
        session.last_seen_at = now;
        changed.last_seen_at = Set(now);
    } else {
        return Ok(Some(Arc::new(session)));
    }
    session::Entity::update_many().set(changed).filter(Column::Id.eq(session.id)).exec(database).await?;
    Ok(Some(Arc::new(session)))
}

async fn replace(
    database: DatabaseConnection,
    session: Arc<session::Model>,
    fresh: SecretString,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let replaced = session::ActiveModel {
        token_hash: Set(hash(fresh.expose_secret())),
        former_hash: Set(Some(session.token_hash.clone())),
        rotated_at: Set(now),
        ..Default::default()
    };
    let update = session::Entity::update_many().set(replaced).filter(Column::Id.eq(session.id));
    let update = update.filter(Column::TokenHash.eq(session.token_hash.clone()));
    Ok(update.exec(&database).await?.rows_affected == 1)
}
