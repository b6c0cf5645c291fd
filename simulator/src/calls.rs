//! Every call that was made, so that a test can ask what was sent.

use std::collections::VecDeque;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::state::lock;

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
    /// Whether it carried an `Authorization` header, whatever was in it.
    pub is_authorized: bool,
    /// Who called, by the token's `oid`.
    pub principal: Option<Uuid>,
    /// The id by which the caller joins the requests of one call.
    pub correlation_id: Option<Uuid>,
    /// The id that the caller gave this request alone.
    pub client_request_id: Option<Uuid>,
    /// The id that the answer gave this request; none where the connection was reset.
    pub request_id: Option<Uuid>,
    /// The id that the answer joined it with others by: the caller's, if there was one.
    pub answered_correlation_id: Option<Uuid>,
    /// When it came in, by the clock of the configuration, whatever Microsoft's clock says.
    pub at: DateTime<Utc>,
}

/// The last calls.
pub(crate) struct Calls {
    kept: Mutex<VecDeque<Call>>,
    most: usize,
}

impl Calls {
    pub(crate) fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most }
    }

    pub(crate) fn remember(&self, call: Call) {
        let mut kept = lock(&self.kept);
        kept.push_back(call);
        if kept.len() > self.most {
            kept.pop_front();
        }
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        lock(&self.kept).iter().cloned().collect()
    }

    pub(crate) fn count(&self, which: impl Fn(&Call) -> bool) -> usize {
        lock(&self.kept).iter().filter(|call| which(call)).count()
    }

    pub(crate) fn clear(&self) {
        lock(&self.kept).clear();
    }
}
