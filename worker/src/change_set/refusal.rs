//! What Azure's refusal of a tag write means.

use std::time::Duration;

use entity::Failure;
use entity::tag_write::Outcome;
use microsoft::MicrosoftError;

use crate::failures;
use crate::job::JobError;

/// How long a resource is left alone after an answer that says nothing, before it is tried again.
const PAUSE: Duration = Duration::from_secs(10);

/// What became of a resource's writes.
pub(crate) enum Written {
    /// Each has its outcome.
    Done,
    /// Azure limits the rate of calls: what has no outcome yet can be tried again after this long.
    Throttled(Duration),
    /// Azure did not answer, or something else was being changed there.
    Unavailable(MicrosoftError),
}

/// Why a request changed nothing.
pub(super) enum Refused {
    /// The same happens to every request there.
    Whole(Outcome, Failure),
    /// One of the tags is refused; the others may not be.
    Tag(Outcome, Failure),
    Wait(Written),
}

/// What has to wait, if anything has to.
pub(super) fn still(written: Written) -> Option<Written> {
    match written {
        Written::Done => None,
        wait => Some(wait),
    }
}

/// What a refusal means for the writes of the request. An error: nothing can be written in this tenant.
pub(super) fn refused(error: &MicrosoftError) -> Result<Refused, JobError> {
    let failure = || failures::of_microsoft(error);
    Ok(match error {
        MicrosoftError::Throttled { retry_after, .. } => Refused::Wait(Written::Throttled(*retry_after)),
        error if error.retryable() => match error.retry_after() {
            Some(wait) => Refused::Wait(Written::Throttled(wait.max(PAUSE))),
            None => Refused::Wait(Written::Unavailable(error.clone())),
        },
        MicrosoftError::NotFound { .. } => Refused::Whole(Outcome::Gone, failure()),
        MicrosoftError::Forbidden { .. } if error.code() == "DENIED_BY_POLICY" => {
            Refused::Tag(Outcome::DeniedByPolicy, failure())
        }
        MicrosoftError::Forbidden { .. } => Refused::Whole(Outcome::MissingRole, failure()),
        MicrosoftError::Conflict { .. } if error.code() == "SCOPE_LOCKED" => {
            Refused::Whole(Outcome::Locked, failure())
        }
        MicrosoftError::SubscriptionDisabled { .. } => Refused::Whole(Outcome::Failed, failure()),
        MicrosoftError::ConsentWithdrawn { .. }
        | MicrosoftError::TokenExpired { .. }
        | MicrosoftError::WrongTenant { .. }
        | MicrosoftError::Misconfigured { .. } => return Err(JobError::Fail(error.clone().into())),
        _ if error.code() == "TAG_REFUSED" => Refused::Tag(Outcome::Unsupported, failure()),
        _ => Refused::Tag(Outcome::Failed, failure()),
    })
}
