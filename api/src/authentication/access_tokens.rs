//! Access tokens: found by their hash, judged by the time, their use remembered.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entity::Clock;
use entity::access_token::{self, AccessTokenSecret, Column, State};
use sea_orm::{ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, QueryFilter, Set};
use tokio::runtime::Handle;

use super::TokenRefused;
use super::fresh::Fresh;
use crate::viewer::Viewer;

/// How exactly the last use is remembered: each request that told more would cost a write.
const LAST_USE: TimeDelta = TimeDelta::minutes(1);

/// Every access token of this installation.
pub(super) struct AccessTokens {
    database: DatabaseConnection,
    clock: Clock,
    known: Fresh<[u8; 32], Option<Arc<access_token::Model>>>,
}

impl AccessTokens {
    pub(super) fn new(database: DatabaseConnection, clock: Clock, runtime: Handle) -> Self {
        Self { database, clock, known: Fresh::new(runtime) }
    }

    /// The viewer that `secret` is, used from `address`.
    pub(super) async fn viewer(
        &self,
        secret: &AccessTokenSecret,
        address: Option<&str>,
    ) -> Result<Viewer, TokenRefused> {
        let look = look(self.database.clone(), secret.clone(), address.map(str::to_owned), self.clock.now());
        let found = self.known.get(secret.hash(), look).await?;
        let token = found.ok_or(TokenRefused::NotRecognized)?;
        match token.state(self.clock.now()) {
            State::Active | State::ExpiresSoon => Ok(Viewer::of_access_token(&token)),
            State::Expired => Err(TokenRefused::Expired(Some(token.expires_at))),
            State::Revoked => Err(TokenRefused::Revoked(token.revoked_at)),
        }
    }
}

async fn look(
    database: DatabaseConnection,
    secret: AccessTokenSecret,
    address: Option<String>,
    now: DateTime<Utc>,
) -> Result<Option<Arc<access_token::Model>>, DbErr> {
    let Some(token) = access_token::Entity::by_secret(&secret).one(&database).await? else {
        return Ok(None);
    };
    let is_used_again = token.last_used_at.is_none_or(|last| last + LAST_USE <= now);
    let is_good = matches!(token.state(now), State::Active | State::ExpiresSoon);
    if is_used_again && is_good {
        let used = access_token::ActiveModel {
            last_used_at: Set(Some(now)),
            last_used_address: Set(address),
            ..Default::default()
        };
        // Another node may have just done so.
        let unused = Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(now));
        let update = access_token::Entity::update_many().set(used).filter(Column::Id.eq(token.id));
        update.filter(unused).exec(&database).await?;
    }
    Ok(Some(Arc::new(token)))
}
