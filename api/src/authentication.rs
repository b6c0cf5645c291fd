//! From what a request presents to its viewer, or to the reason why there is none.

mod access_tokens;
mod development;
mod fresh;
mod people;
mod sessions;

use chrono::{DateTime, SecondsFormat, Utc};
use entity::access_token::AccessTokenSecret;
use entity::pasted::jwt::Jwt;
use entity::{Clock, Keyring};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use microsoft::Provider;
use sea_orm::{DatabaseConnection, DbErr};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::viewer::Viewer;
use access_tokens::AccessTokens;
use people::People;
use sessions::Sessions;

pub use development::DevelopmentTokens;

/// What a request presents to say who asks.
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// The token of an `Authorization: Bearer`.
    pub bearer: Option<SecretString>,
    /// The cookie of a session; it counts only where there is no token.
    pub cookie: Option<SecretString>,
    /// The session of a connection that began with its cookie.
    pub session: Option<Uuid>,
    /// In which organization the person acts, who may be a member of several.
    pub organization: Option<Uuid>,
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
    /// The session was ended, or has run out.
    #[error("Your session has ended. Sign in again.")]
    SessionEnded,
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
            Self::Expired(_) | Self::SessionEnded => Some("EXPIRED"),
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

    /// A new cookie in the place of the one that was presented, if it is time for one.
    fn renew<'a>(&'a self, _presented: &'a Presented) -> BoxFuture<'a, Option<SecretString>> {
        ready(None).boxed()
    }

    /// What a connection that lives on presents later: the session itself, since its cookie will be replaced.
    fn pin(&self, presented: Presented) -> BoxFuture<'_, Presented> {
        ready(presented).boxed()
    }
}

/// Says who asks, by what is stored.
pub struct Authenticator {
    clock: Clock,
    development: DevelopmentTokens,
    access_tokens: AccessTokens,
    people: People,
    sessions: Sessions,
}

impl Authenticator {
    /// For the installation that keeps its rows in `database` and whose members sign in at `provider`; looks are
    /// taken on `runtime`.
    pub fn new(
        database: &DatabaseConnection,
        keyring: &Keyring,
        provider: &Provider,
        clock: &Clock,
        runtime: &Handle,
    ) -> Self {
        Self {
            access_tokens: AccessTokens::new(database.clone(), clock.clone(), runtime.clone()),
            development: DevelopmentTokens::new(keyring),
            people: People::new(database.clone(), provider.clone(), runtime.clone()),
            sessions: Sessions::new(database.clone(), clock.clone(), runtime.clone()),
            clock: clock.clone(),
        }
    }

    async fn bearer(&self, token: &str, presented: &Presented) -> Result<Viewer, TokenRefused> {
        if AccessTokenSecret::is_meant(token) {
            let secret = AccessTokenSecret::parse(token).map_err(|_| TokenRefused::Incomplete)?;
            return self.access_tokens.viewer(&secret, presented.address.as_deref()).await;
        }
        if Jwt::parse(token).is_none() {
            return Err(TokenRefused::Incomplete);
        }
        if DevelopmentTokens::is_meant(token) {
            let member_id = self.development.verify(token, self.clock.now())?;
            return self.people.of_id(member_id, None).await;
        }
        self.people.of_token(token, presented.organization).await
    }

    async fn viewer(&self, presented: &Presented) -> Result<Option<Viewer>, TokenRefused> {
        if let Some(token) = &presented.bearer {
            return self.bearer(token.expose_secret(), presented).await.map(Some);
        }
        let session = match (&presented.cookie, presented.session) {
            (_, Some(id)) => self.sessions.of_id(id).await?,
            (Some(cookie), None) => self.sessions.of_cookie(cookie).await?,
            (None, None) => return Ok(None),
        };
        let viewer = self.people.of_id(session.member_id, Some(session.created_at)).await;
        viewer.map(Some).map_err(|refused| match refused {
            TokenRefused::Revoked(_) => TokenRefused::SessionEnded,
            refused => refused,
        })
    }
}

impl Authenticate for Authenticator {
    fn authenticate<'a>(
        &'a self,
        presented: &'a Presented,
    ) -> BoxFuture<'a, Result<Option<Viewer>, TokenRefused>> {
        self.viewer(presented).boxed()
    }

    fn renew<'a>(&'a self, presented: &'a Presented) -> BoxFuture<'a, Option<SecretString>> {
        async move {
            match (&presented.bearer, &presented.cookie) {
                (None, Some(cookie)) => self.sessions.renew(cookie).await,
                _ => None,
            }
        }
        .boxed()
    }

    fn pin(&self, presented: Presented) -> BoxFuture<'_, Presented> {
        async move {
            let Some(cookie) = &presented.cookie else { return presented };
            let session = self.sessions.of_cookie(cookie).await.ok().map(|session| session.id);
            Presented { cookie: None, session, ..presented }
        }
        .boxed()
    }
}

/// Nobody can say now; the cause goes to the log.
fn unavailable(error: &DbErr) -> TokenRefused {
    tracing::error!(%error, "a token could not be checked");
    TokenRefused::Unavailable
}
