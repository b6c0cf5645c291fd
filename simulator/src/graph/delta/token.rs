//! What a delta query remembers from page to page: nothing of it is kept here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::{Asked, error};
use crate::office::Office;
use crate::reply::Reply;

/// How long a token is good for.
const LIFETIME: i64 = 7 * 24 * 60 * 60;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Token {
    /// `users` or `groups`.
    pub(super) what: String,
    /// Which of the times that all tokens died was the last.
    generation: u64,
    /// Seconds since 1970.
    pub(super) issued: i64,
    /// Whether everything is answered, not only what has changed.
    pub(super) is_first: bool,
    /// The last change that was known when the round began.
    pub(super) since: u64,
    /// The number of the next object, or of the last change that was answered.
    pub(super) position: u64,
    /// The place in a group from which on its members are still to be answered.
    pub(super) place: u64,
    pub(super) select: Option<Vec<String>>,
    /// No others are looked for; none: every one is.
    pub(super) ids: Vec<Uuid>,
}

impl Token {
    pub(super) fn first(asked: &Asked<'_>, what: &str, select: Option<Vec<String>>, ids: Vec<Uuid>) -> Self {
        let office = asked.office();
        Self {
            what: what.to_owned(),
            generation: office.token_generation,
            issued: 0,
            is_first: true,
            since: office.changed(),
            position: 0,
            place: 0,
            select,
            ids,
        }
    }

    pub(super) fn read(asked: &Asked<'_>, what: &str, text: &str) -> Result<Self, Reply> {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok();
        let token = decoded.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let token = token
            .filter(|token| token.what == what)
            .ok_or_else(|| error::refusal(400, "Request_BadRequest", "Invalid delta or skip token."))?;
        if token.generation != asked.office().token_generation {
            let message = "Resync required. Replace any local items with the server's version.";
            return Err(token.dead(asked, "resyncRequired", message));
        }
        if asked.now.timestamp() - token.issued > LIFETIME {
            let message = "The sync state generation is not found. The delta token is expired and data must be \
                           synchronized again.";
            return Err(token.dead(asked, "syncStateNotFound", message));
        }
        Ok(token)
    }

    /// Gone, with an address that has an empty token: everything again. (An expired token is said to be answered
    /// with a status of 40X elsewhere; the page on delta queries says 410 of a resynchronization.)
    fn dead(&self, asked: &Asked<'_>, code: &str, message: &str) -> Reply {
        let select = self.select.as_ref().map(|select| format!("$select={}&", select.join(",")));
        let link = format!(
            "{}/v1.0/{}/delta?{}$deltatoken=",
            asked.state.base_url(),
            self.what,
            select.unwrap_or_default()
        );
        error::refusal(410, code, message).header("location", &link)
    }

    /// The round is over: the next one is about what changes after it.
    pub(super) fn turn(&mut self, office: &Office) {
        if !self.is_first {
            self.since = office.changed();
        }
        (self.is_first, self.position, self.place) = (false, self.since, 0);
    }

    pub(super) fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}
