//! Health: whether what was granted in a tenant still works, and since when not, and who can mend it.
//!
//! What is wrong is a row for each reason, which is there for as long as it is true. What cannot be learnt now, because
//! Microsoft does not answer or asks to wait, changes nothing: the reasons stay as they are.

mod look;
pub(crate) mod reasons;
mod record;

pub(crate) use look::look;
pub(crate) use record::{after_operation, again, could_not_say, forget, store};

use entity::Failure;
use entity::health_reason::Severity;
use uuid::Uuid;

/// Something that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The one subscription that it is about; none: all of the tenant.
    pub(crate) subscription_id: Option<Uuid>,
    pub(crate) severity: Severity,
    pub(crate) failure: Failure,
}

impl Finding {
    fn of_tenant(failure: Failure) -> Self {
        Self { subscription_id: None, severity: Severity::Degraded, failure }
    }

    fn of_subscription(subscription_id: Uuid, failure: Failure) -> Self {
        Self { subscription_id: Some(subscription_id), severity: Severity::Degraded, failure }
    }

    fn warning(failure: Failure) -> Self {
        Self { subscription_id: None, severity: Severity::Warning, failure }
    }

    fn key(&self) -> (Option<Uuid>, &str) {
        (self.subscription_id, &self.failure.code)
    }
}
