//! How what goes wrong in a job is retried, given up, and told to a person.

use entity::{Failure, FixableBy, operation};
use microsoft::MicrosoftError;
use sea_orm::DbErr;

use crate::job::JobError;
use crate::queue::QueueError;

impl From<MicrosoftError> for JobError {
    fn from(error: MicrosoftError) -> Self {
        match error.retry_after() {
            Some(delay) => Self::RetryAfter(delay),
            None if error.retryable() => Self::Retry(error.into()),
            None => Self::Fail(error.into()),
        }
    }
}

impl From<DbErr> for JobError {
    fn from(error: DbErr) -> Self {
        Self::Retry(error.into())
    }
}

impl From<QueueError> for JobError {
    fn from(error: QueueError) -> Self {
        Self::Retry(error.into())
    }
}

/// What a person is told of Microsoft's refusal.
pub fn of_microsoft(error: &MicrosoftError) -> Failure {
    let mut message = error.person_message().to_owned();
    if !error.obstacles().is_empty() {
        message = format!("{message} In the way: {}.", error.obstacles().join(", "));
    }
    let failure = Failure::new(error.code(), error.retryable(), fixable_by(error.fixable_by()), message);
    tracing::warn!(failure.code = failure.code, failure.trace_id = failure.trace_id, %error, "Microsoft refused");
    failure
}

/// What a person is told when the consenting user came back without a grant.
pub fn of_refusal(refusal: &microsoft::Refusal) -> Failure {
    Failure::new(
        refusal.code(),
        refusal.retryable(),
        fixable_by(refusal.fixable_by()),
        refusal.person_message(),
    )
}

fn fixable_by(who: microsoft::FixableBy) -> FixableBy {
    match who {
        microsoft::FixableBy::Member => FixableBy::Member,
        microsoft::FixableBy::SubscriptionOwner => FixableBy::SubscriptionOwner,
        microsoft::FixableBy::GlobalAdministrator => FixableBy::GlobalAdministrator,
        microsoft::FixableBy::Operator => FixableBy::Operator,
    }
}

/// What a person is told when a job was given up because of `why`.
pub fn of_job(why: &anyhow::Error) -> Failure {
    if let Some(error) = why.downcast_ref::<MicrosoftError>() {
        return of_microsoft(error);
    }
    let failure = Failure::new(
        "INTERNAL",
        true,
        FixableBy::Operator,
        "Tenantry could not finish this. Retry the operation; if it happens again, give the trace id to \
         whoever runs this installation.",
    );
    tracing::error!(failure.trace_id = failure.trace_id, error = format!("{why:#}"), "a job was given up");
    failure
}

/// The window closed before this was done.
pub fn window_closed() -> Failure {
    Failure::new(
        "CONSENT_WINDOW_CLOSED",
        true,
        FixableBy::Member,
        "The consent window closed before the role could be assigned. Ask for a new consent: it continues \
         here and repeats nothing.",
    )
}

/// The code of [`elevation_remains`].
pub const ELEVATION_REMAINS: &str = "ELEVATION_REMAINS";

/// The window closed while a role was held for a change set.
pub fn elevation_remains() -> Failure {
    Failure::new(
        ELEVATION_REMAINS,
        true,
        FixableBy::Member,
        "The consent window closed before the role that was held for this change set could be taken away, so it is \
         still assigned. Let an owner consent once more, and set the subscription's access level again by \
         changeAccess: that takes it away.",
    )
}

/// The window is open, and not for long enough to write more tags.
pub fn window_closes() -> Failure {
    Failure::new(
        "CONSENT_WINDOW_CLOSES",
        true,
        FixableBy::Member,
        "The consent window was about to close, so no more tags were written and the role was taken away first. Plan \
         the rest again: what was written is left out by itself.",
    )
}

/// The window is open, and too short for what was asked.
pub fn window_too_short() -> Failure {
    Failure::new(
        "CONSENT_WINDOW_TOO_SHORT",
        true,
        FixableBy::Member,
        "What is left of the consent window is too short to swap roles and to take that back if it fails, so \
         nothing was changed. Ask for a new consent.",
    )
}

/// A member asked for the operation to stop.
pub fn cancelled() -> Failure {
    Failure::new(
        "CANCELLED",
        true,
        FixableBy::Member,
        "A member cancelled the operation. What was done before stays; retry it to go on.",
    )
}

/// The operation's deadline has passed.
pub fn deadline_passed() -> Failure {
    Failure::new(
        "DEADLINE_PASSED",
        true,
        FixableBy::Member,
        "The operation did not end before its deadline. What was done stays; retry it to go on.",
    )
}

/// The consenting user sees no subscription at all.
pub fn no_subscriptions() -> Failure {
    Failure::new(
        "NO_SUBSCRIPTIONS",
        false,
        FixableBy::Member,
        "The consenting user can see no subscription in this tenant. Ask an owner of the subscriptions to \
         consent.",
    )
}

/// Of what an operation was asked to do, nothing was done.
pub fn nothing_done(kind: operation::Kind) -> Failure {
    match kind {
        operation::Kind::OnboardTenant | operation::Kind::ScanTenant => nothing_granted(),
        operation::Kind::ChangeAccess => Failure::new(
            "NOTHING_CHANGED",
            true,
            FixableBy::SubscriptionOwner,
            "No subscription has another access level than before. Each subscription says why.",
        ),
        operation::Kind::DisconnectTenant => Failure::new(
            "NOTHING_REMOVED",
            true,
            FixableBy::SubscriptionOwner,
            "None of the role assignments could be removed. Each subscription says why.",
        ),
        operation::Kind::ApplyChangeSet => Failure::new(
            "NOTHING_WRITTEN",
            true,
            FixableBy::Member,
            "None of the tags could be written. Each write of the change set says why.",
        ),
        operation::Kind::LoadOffice => Failure::new(
            "NOTHING_LOADED",
            true,
            FixableBy::GlobalAdministrator,
            "Nothing of Office 365 could be read. Each feed says why.",
        ),
    }
}

/// Office 365 is to be read of a tenant that nobody consented for.
pub fn office_not_connected() -> Failure {
    Failure::new(
        "OFFICE_365_NOT_CONNECTED",
        false,
        FixableBy::Member,
        "The tenant is not connected to Office 365. Ask its administrator for a consent of the kind OFFICE_365.",
    )
}

/// A feed needs a permission that is not held.
pub fn not_granted(permission: microsoft::Permission) -> Failure {
    Failure::new(
        "PERMISSION_NOT_GRANTED",
        true,
        FixableBy::GlobalAdministrator,
        format!(
            "The permission {permission} is not granted. {} Let an administrator of the tenant consent again once the \
             app registration asks for it.",
            permission.needed_for()
        ),
    )
}

/// A report came with a header and nothing below it.
pub fn report_without_rows() -> Failure {
    Failure::new(
        "REPORT_EMPTY",
        true,
        FixableBy::GlobalAdministrator,
        "Microsoft's report has no rows, so what was read before is kept. Where the tenant has used Office 365 for less \
         than two days, or not at all, there is nothing to report yet.",
    )
}

/// Of a report no row could be read.
pub fn no_row_readable(refused: u64) -> Failure {
    Failure::new(
        "REPORT_UNREADABLE",
        true,
        FixableBy::Operator,
        format!(
            "None of the {refused} rows of Microsoft's report could be read, so what was read before is kept. The feed \
             names the columns: Microsoft may have changed the report."
        ),
    )
}

/// Some tag writes of a subscription were not done.
pub fn not_all_written(undone: u64, all: u64) -> Failure {
    Failure::new(
        "NOT_ALL_WRITTEN",
        true,
        FixableBy::Member,
        format!("{undone} of {all} tag writes were not done. Each write of the change set says why."),
    )
}

/// The access level of a subscription lets no tags be written.
pub fn access_level_too_low() -> Failure {
    Failure::new(
        "ACCESS_LEVEL_TOO_LOW",
        true,
        FixableBy::SubscriptionOwner,
        "Tags are written only at subscriptions with the access level WRITE_TAGS. Change it by changeAccess, then \
         retry the operation.",
    )
}

/// What a tag write depends on was not done.
pub fn not_renamed() -> Failure {
    Failure::new(
        "NEW_NAME_NOT_WRITTEN",
        true,
        FixableBy::Member,
        "The tag of the new name could not be written, so the one of the old name was left where it is.",
    )
}

/// Something puts a tag back whenever it is written.
pub fn put_back(times: usize, by_policy: bool) -> Failure {
    let who = if by_policy { "An Azure policy" } else { "Something else that has access to the resource" };
    Failure::new(
        "PUT_BACK",
        false,
        FixableBy::Member,
        format!(
            "{who} has put this tag back after each of {times} writes, so it is not written again by itself. Find \
             out which value is right, and decide with resolveConflicts."
        ),
    )
}

/// The consenting user does not see a subscription that was asked for.
pub fn not_visible() -> Failure {
    Failure::new(
        "NOT_PERMITTED",
        true,
        FixableBy::SubscriptionOwner,
        "The consenting user does not see this subscription. An Owner, User Access Administrator or Role Based \
         Access Control Administrator of it has to consent.",
    )
}

/// No subscription has given us access.
pub fn nothing_granted() -> Failure {
    Failure::new(
        "NOTHING_GRANTED",
        true,
        FixableBy::SubscriptionOwner,
        "No subscription of this tenant could be read. Each subscription says why.",
    )
}

/// A subscription was granted, and our service principal does not see it any more.
pub fn access_lost() -> Failure {
    Failure::new(
        "ACCESS_LOST",
        false,
        FixableBy::SubscriptionOwner,
        "The service principal no longer sees this subscription: its role was removed, or the subscription \
         was moved or deleted. The inventory is kept as it was. Ask an owner to consent again.",
    )
}

/// A role was assigned and did not take effect in time.
pub fn role_not_effective() -> Failure {
    Failure::new(
        "ROLE_NOT_EFFECTIVE",
        true,
        FixableBy::Member,
        "The role was assigned, but after fifteen minutes Azure still did not let the service principal in. \
         Retry the operation later; nothing has to be granted again.",
    )
}

/// The subscription is disabled in Azure.
pub fn subscription_disabled() -> Failure {
    Failure::new(
        "SUBSCRIPTION_DISABLED",
        true,
        FixableBy::SubscriptionOwner,
        "The subscription is disabled in Azure, so no role can be assigned. Re-enable it and consent again.",
    )
}

/// A condition on the consenting user's own role stands in the way.
pub fn condition_blocked() -> Failure {
    Failure::new(
        "CONDITION_BLOCKED",
        true,
        FixableBy::SubscriptionOwner,
        "A condition on the consenting user's role does not let them assign this role. An owner without that \
         condition must consent.",
    )
}

/// The subscription has no room for one more role assignment.
pub fn limit_reached() -> Failure {
    Failure::new(
        "LIMIT_REACHED",
        true,
        FixableBy::SubscriptionOwner,
        "The subscription holds as many role assignments as Azure allows. An owner must remove some that are \
         not needed.",
    )
}

/// The consenting user may not assign roles.
pub fn not_permitted() -> Failure {
    Failure::new(
        "NOT_PERMITTED",
        true,
        FixableBy::SubscriptionOwner,
        "The consenting user may not assign roles here. An Owner, User Access Administrator or Role Based \
         Access Control Administrator of the subscription has to consent.",
    )
}

/// What a person is told when Microsoft's answer says nothing about an enrollment key.
pub fn enrollment_key_not_checked(error: &MicrosoftError) -> Failure {
    let failure = match error {
        MicrosoftError::Throttled { .. } | MicrosoftError::Unavailable { .. } => return of_microsoft(error),
        MicrosoftError::NotFound { .. } => Failure::new(
            "ENROLLMENT_NOT_REPORTED",
            true,
            FixableBy::Member,
            "Microsoft has no report of this enrollment. Check the enrollment's number; if it is right, \
             Microsoft's EA reporting service does not serve this enrollment any more, and the key is of no use.",
        ),
        _ => Failure::new(
            "ENROLLMENT_KEY_NOT_CHECKED",
            true,
            FixableBy::Operator,
            "Microsoft's answer says nothing about the key, so its state is the last that is known. Tenantry \
             checks it again by itself; if it lasts, give the trace id to whoever runs this installation.",
        ),
    };
    let code = &failure.code;
    tracing::warn!(failure.code = code, failure.trace_id = failure.trace_id, %error, "a key was not checked");
    failure
}
