//! Every call that was made, so that a test can ask what was sent.

use std::collections::VecDeque;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How many calls are remembered.
const REMEMBERED: usize = 100_000;

/// One call, without its secrets.
#[derive(Clone, Debug)]
pub struct Call {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, as sent.
    pub query: String,
    /// The HTTP status of the answer; 0 where the connection was reset.
    pub status: u16,
    /// Who called, by the token's `oid`.
    pub principal: Option<Uuid>,
    /// The id by which the caller joins the requests of one call.
    pub correlation_id: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
}

/// The calls so far.
#[derive(Default)]
pub(crate) struct Calls(Mutex<VecDeque<Call>>);

impl Calls {
    pub(crate) fn remember(&self, call: Call) {
        let mut calls = crate::state::lock(&self.0);
        if calls.len() == REMEMBERED {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        crate::state::lock(&self.0).iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        crate::state::lock(&self.0).clear();
    }
}
