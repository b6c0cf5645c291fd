//! What is kept of something that went wrong: enough for a person to act on it.

use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Who can do something about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FixableBy {
    /// The member who started the work.
    Member,
    /// An owner of the subscription.
    SubscriptionOwner,
    /// A global administrator of the tenant.
    GlobalAdministrator,
    /// Whoever runs this installation.
    Operator,
}

/// A failure as stored on a row and shown to a person. Holds no secret, token or e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Failure {
    /// Stable code in upper snake case.
    pub code: String,
    /// Whether trying again can help.
    pub retryable: bool,
    /// Who can fix it.
    pub fixable_by: FixableBy,
    /// One sentence that says what to do.
    pub message: String,
    /// Finds the failure in the log.
    pub trace_id: String,
}

impl Failure {
    /// A failure with a trace id of its own.
    pub fn new(code: &str, retryable: bool, fixable_by: FixableBy, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            retryable,
            fixable_by,
            message: message.into(),
            trace_id: Uuid::now_v7().simple().to_string(),
        }
    }
}
