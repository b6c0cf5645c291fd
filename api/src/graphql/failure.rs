//! What went wrong with something stored, as a person can act on it.

use async_graphql::{Enum, SimpleObject};

/// Who can do something about a failure.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "FixableBy", remote = "entity::FixableBy")]
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

/// Something that went wrong in work that was going on by itself.
#[derive(SimpleObject)]
#[graphql(name = "Failure")]
pub struct Failure {
    /// A stable code in upper snake case. New ones may be added.
    code: String,
    /// Whether trying again can help.
    retryable: bool,
    /// Who can fix it.
    fixable_by: FixableBy,
    /// One sentence that says what to do.
    message: String,
    /// Finds the failure in the log.
    trace_id: String,
}

impl Failure {
    /// What a row says of its failure.
    pub fn of(stored: Option<&entity::Failure>) -> Option<Self> {
        stored.cloned().map(|stored| Self {
            code: stored.code,
            retryable: stored.retryable,
            fixable_by: stored.fixable_by.into(),
            message: stored.message,
            trace_id: stored.trace_id,
        })
    }
}
