//! From what a request presents to its viewer, or to the reason why there is none.

mod access_tokens;
mod development;
mod fresh;

use chrono::{DateTime, SecondsFormat, Utc};
use entity::access_token::AccessTokenSecret;
use entity::{Clock, Keyring, member};
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::{DatabaseConnection, DbErr};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::viewer::Viewer;
use access_tokens::AccessTokens;
use fresh::Fresh;

pub use development::DevelopmentTokens;

/// What a request presents to say who asks.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// The token of an `Authorization: Bearer`.
    pub bearer: Option<SecretString>,
    /// The client's address.
    pub address: Option<String>,
}

/// Why what was presented is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// A part of it is missing.
    #[error("The token is incomplete. Copy it again, in full, from where it was issued.")]
    Incomplete,
    /// Past its expiry.
    #[error("The token expired{}. Generate a new one.", at(*.0))]
    Expired(Option<DateTime<Utc>>),
    /// Known, and revoked.
    #[error("The token was revoked{}. Generate a new one.", at(*.0))]
    Revoked(Option<DateTime<Utc>>),
    /// Whole, but not issued by this installation.
    #[error("The token was not issued here. Generate a new one.")]
    NotRecognized,
    /// Whose it is, is a member of no organization.
    #[error("You are signed in, but a member of no organization here. Ask an ADMIN for an invitation.")]
    NotAMember,
    /// What would have to be asked does not answer.
    #[error("The token could not be checked. Try again in a moment.")]
    Unavailable,
}

fn at(time: Option<DateTime<Utc>>) -> String {
    time.map(|time| format!(" at {}", time.to_rfc3339_opts(SecondsFormat::Secs, true))).unwrap_or_default()
}

impl TokenRefused {
    /// A stable name of the reason; none: that is not the token's fault.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Incomplete => Some("INCOMPLETE"),
            Self::Expired(_) => Some("EXPIRED"),
            Self::Revoked(_) => Some("REVOKED"),
            Self::NotRecognized => Some("NOT_RECOGNIZED"),
            Self::NotAMember => Some("INSUFFICIENT_ROLE"),
            Self::Unavailable => None,
        }
    }
}

/// Says who asks.
pub trait Authenticate: Send + Sync + 'static {
    /// The viewer; none if nothing was presented.
    fn authenticate<'a>(
        &'a self,
        presented: &'a Presented,
    ) -> BoxFuture<'a, Result<Option<Viewer>, TokenRefused>>;
}

/// Says who asks, by what is stored.
pub struct Authenticator {
    database: DatabaseConnection,
    clock: Clock,
    development: DevelopmentTokens,
    access_tokens: AccessTokens,
    members: Fresh<Uuid, Option<Viewer>>,
}

impl Authenticator {
    /// For the installation that keeps its rows in `database`.
    pub fn new(database: DatabaseConnection, keyring: &Keyring, clock: Clock) -> Self {
        Self {
            access_tokens: AccessTokens::new(database.clone(), clock.clone()),
            development: DevelopmentTokens::new(keyring),
            members: Fresh::default(),
            database,
            clock,
        }
    }

    async fn bearer(&self, token: &str, presented: &Presented) -> Result<Viewer, TokenRefused> {
        if AccessTokenSecret::is_meant(token) {
            let secret = AccessTokenSecret::parse(token).map_err(|_| TokenRefused::Incomplete)?;
            return self.access_tokens.viewer(&secret, presented.address.as_deref()).await;
        }
        let member_id = self.development.verify(token, self.clock.now())?;
        self.member(member_id).await
    }

    /// The member as it is now: its role may have changed since it was told.
    async fn member(&self, id: Uuid) -> Result<Viewer, TokenRefused> {
        let found = async {
            let found = member::Entity::present(id).one(&self.database).await?;
            Ok(found.as_ref().map(Viewer::of_member))
        };
        self.members.get(id, found).await?.ok_or(TokenRefused::Revoked(None))
    }
}

impl Authenticate for Authenticator {
    fn authenticate<'a>(
        &'a self,
        presented: &'a Presented,
    ) -> BoxFuture<'a, Result<Option<Viewer>, TokenRefused>> {
        async move {
            match &presented.bearer {
                Some(token) => self.bearer(token.expose_secret(), presented).await.map(Some),
                None => Ok(None),
            }
        }
        .boxed()
    }
}

/// Nobody can say now; the cause goes to the log.
fn unavailable(error: &DbErr) -> TokenRefused {
    tracing::error!(%error, "a token could not be checked");
    TokenRefused::Unavailable
}
