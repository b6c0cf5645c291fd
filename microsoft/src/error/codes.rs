//! The table from Microsoft's codes to what Tenantry does about them, and its fallbacks.
//!
//! AADSTS numbers: <https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes>.
//! ARM codes: <https://learn.microsoft.com/en-us/azure/role-based-access-control/troubleshooting>.
//! Graph codes: <https://learn.microsoft.com/en-us/graph/errors>.

use std::time::Duration;

use super::FixableBy::{self, GlobalAdministrator, Member, Operator, SubscriptionOwner};

/// The wait when Microsoft throttles without saying for how long: one Resource Graph window.
pub(crate) const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Entra's loop detection: too many equal requests.
pub(crate) const LOOP_DETECTED: u32 = 50_196;
/// It arrives as `invalid_client`, and means that the service principal is not in the tenant.
const SERVICE_PRINCIPAL_MISSING: u32 = 7_000_229;

/// The wait after Entra's loop detection (AADSTS50196), which answers for a minute.
pub(crate) const LOOP_RETRY_AFTER: Duration = Duration::from_mins(1);

/// Which error a meaning becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Throttled,
    Unavailable,
    ConsentWithdrawn,
    TokenExpired,
    InteractionRequired,
    Forbidden,
    NotFound,
    Conflict,
    PrincipalNotFound,
    SubscriptionDisabled,
    LimitReached,
    ConditionBlocked,
    WrongTenant,
    Incomplete,
    Misconfigured,
    Unexpected,
    LicenceMissing,
    DeltaTokenDead,
    WindowClosed,
}

/// What a failure means to Tenantry and to people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub kind: Kind,
    pub code: &'static str,
    pub retryable: bool,
    pub fixable_by: FixableBy,
    pub message: &'static str,
}

macro_rules! meanings {
    ($($name:ident = $kind:ident, $retryable:literal, $by:ident, $message:literal;)*) => {
        $(pub(crate) static $name: Meaning = Meaning {
            kind: Kind::$kind,
            code: stringify!($name),
            retryable: $retryable,
            fixable_by: $by,
            message: $message,
        };)*
        #[cfg(test)]
        static ALL: &[&Meaning] = &[$(&$name),*];
    };
}

meanings! {
    MICROSOFT_THROTTLED = Throttled, true, Operator,
        "Microsoft is limiting the rate of calls. Tenantry continues by itself as soon as it may.";
    MICROSOFT_UNAVAILABLE = Unavailable, true, Operator,
        "Microsoft did not answer. Tenantry tries again by itself; if it lasts, look at Azure's status page.";
    CONSENT_WITHDRAWN = ConsentWithdrawn, false, GlobalAdministrator,
        "Tenantry is not present in the tenant. An administrator of the tenant must consent again.";
    CONSENT_REQUIRED = ConsentWithdrawn, false, GlobalAdministrator,
        "The tenant has not consented to what Tenantry asks for. Start a new consent and accept it.";
    ADMIN_CONSENT_REQUIRED = ConsentWithdrawn, false, GlobalAdministrator,
        "Users of this tenant may not consent themselves. Ask an administrator of the tenant to consent.";
    APPLICATION_DISABLED = ConsentWithdrawn, false, GlobalAdministrator,
        "Tenantry's enterprise application is disabled in the tenant. An administrator of the tenant must enable it.";
    GRANT_EXPIRED = TokenExpired, false, Member,
        "The sign-in behind this consent is no longer valid. Start a new consent.";
    GRANT_ALREADY_USED = TokenExpired, false, Member,
        "This consent was already completed once. If it did not work, start a new one.";
    SIGN_IN_REVOKED = TokenExpired, false, Member,
        "The consenting user's sign-in was revoked. Sign in again and start a new consent.";
    TOKEN_REFUSED = TokenExpired, false, Member,
        "Microsoft no longer accepts the token. Start a new consent to continue.";
    INTERACTION_REQUIRED = InteractionRequired, false, Member,
        "Microsoft wants the consenting user to sign in again. Start a new consent.";
    MFA_REQUIRED = InteractionRequired, false, Member,
        "The tenant requires multi-factor authentication. Start a new consent and complete it.";
    CONDITIONAL_ACCESS = InteractionRequired, false, GlobalAdministrator,
        "A Conditional Access policy of the tenant blocks this sign-in. Ask its administrator to allow it, or use a device that complies.";
    FORBIDDEN = Forbidden, false, SubscriptionOwner,
        "The role this needs is missing. An owner of the subscription must grant it.";
    PERMISSION_MISSING = Forbidden, false, GlobalAdministrator,
        "A Microsoft Graph permission is not granted. An administrator of the tenant must grant it.";
    PREMIUM_LICENCE_MISSING = LicenceMissing, false, GlobalAdministrator,
        "The tenant has no Microsoft Entra ID P1 or P2 licence, without which nobody is told when users signed in. Buy one if these dates are needed.";
    OFFICE_365_MISSING = LicenceMissing, false, GlobalAdministrator,
        "The tenant has no Office 365 that was ever used, so there is nothing to report. Connect a tenant that has, or try again once it is in use.";
    DELTA_TOKEN_DEAD = DeltaTokenDead, false, Operator,
        "Microsoft no longer knows how far the directory was read. Tenantry reads it from the beginning by itself.";
    TENANT_NOT_FOUND = NotFound, false, Member,
        "There is no such tenant. Check the tenant's id or domain name.";
    RESOURCE_NOT_IN_TENANT = NotFound, false, GlobalAdministrator,
        "The tenant does not use this Microsoft service. An administrator of the tenant must activate it first.";
    SUBSCRIPTION_NOT_FOUND = NotFound, false, SubscriptionOwner,
        "The subscription does not exist any more, or Tenantry has no role on it. An owner of the subscription must consent again.";
    NOT_FOUND = NotFound, false, Member,
        "It does not exist in Azure any more. Scan again to bring the inventory up to date.";
    CONFLICT = Conflict, true, SubscriptionOwner,
        "Another change is in progress in Azure. Tenantry tries again by itself.";
    SCOPE_LOCKED = Conflict, false, SubscriptionOwner,
        "A lock in Azure forbids the change. An owner of the subscription must remove the lock.";
    DENIED_BY_POLICY = Forbidden, false, SubscriptionOwner,
        "An Azure policy forbids this. Give the value that the policy asks for, or let an owner of the subscription exempt the resource.";
    TAG_REFUSED = Unexpected, false, Member,
        "Azure does not take this tag there: the resource's type takes no tags, or none of this name or value.";
    ROLE_ASSIGNMENT_EXISTS = Conflict, false, SubscriptionOwner,
        "The role is already assigned. Nothing needs to be done.";
    ROLE_ASSIGNMENT_DIFFERS = Conflict, false, SubscriptionOwner,
        "Another role assignment has the same name. An owner of the subscription must remove it.";
    PRINCIPAL_NOT_FOUND = PrincipalNotFound, true, Operator,
        "The directory does not know Tenantry's service principal everywhere yet. Tenantry tries again by itself.";
    SUBSCRIPTION_DISABLED = SubscriptionDisabled, false, SubscriptionOwner,
        "The subscription is disabled. Its owner must enable it before roles can be assigned.";
    LIMIT_REACHED = LimitReached, false, SubscriptionOwner,
        "The subscription holds as many role assignments as Azure allows. An owner must remove some that are not needed.";
    CONDITION_BLOCKED = ConditionBlocked, false, SubscriptionOwner,
        "A condition on the consenting user's role does not let them assign this role. An owner without that condition must consent.";
    WRONG_TENANT = WrongTenant, false, SubscriptionOwner,
        "The subscription belongs to another tenant. Connect that tenant and consent there.";
    INCOMPLETE_ANSWER = Incomplete, true, Operator,
        "Microsoft's list ended early, so the last complete inventory is kept. Tenantry tries again by itself.";
    CONSENT_WINDOW_CLOSED = WindowClosed, false, Member,
        "The consent window closed before this was done. Ask for a new consent: it continues here and repeats nothing.";
    NOT_RECORDED = Unavailable, true, Operator,
        "The call could not be written down for the receipt, so it was not made. Tenantry tries again by itself.";
    REPORTS_PERMISSION_MISSING = Forbidden, false, GlobalAdministrator,
        "The Microsoft Graph permission Reports.Read.All is not granted. An administrator of the tenant must grant it.";
    REPORTS_INCIDENT = Unavailable, true, Operator,
        "Microsoft's report service refuses every call, which is an incident of its own. Tenantry tries again by itself; if it lasts, look at the service health of Microsoft 365.";
    REPORT_EMPTY = Incomplete, true, Operator,
        "Microsoft sent an empty file in place of the report, so the last good report is kept. Tenantry tries again by itself.";
    REPORT_CUT_SHORT = Incomplete, true, Operator,
        "The report ended in its middle, so the last good report is kept. Tenantry tries again by itself.";
    REPORT_LINK_DEAD = Unavailable, true, Operator,
        "Microsoft's link to the report was dead before the report was read, twice. Tenantry tries again by itself.";
    REPORT_HOST_REFUSED = Misconfigured, false, Operator,
        "Microsoft hands the report out on a host that this installation does not allow. If the host is Microsoft's, the operator must add it to the hosts of reports.";
    REPORT_UNREADABLE = Unexpected, false, Operator,
        "Microsoft has changed this report, so the last good report is kept. Tell the operator, with the trace id.";
    CLIENT_SECRET_REFUSED = Misconfigured, false, Operator,
        "Microsoft refuses Tenantry's client secret. The operator must configure a valid one.";
    CLIENT_SECRET_EXPIRED = Misconfigured, false, Operator,
        "Tenantry's client secret has expired. The operator must create a new one and configure it.";
    APPLICATION_MISCONFIGURED = Misconfigured, false, Operator,
        "Tenantry's app registration is not set up as this call needs. The operator must correct it.";
    UNEXPECTED_ANSWER = Unexpected, false, Operator,
        "Microsoft answered in a way Tenantry does not know. Tell the operator, with the trace id.";
}

/// AADSTS numbers that say more than the `error` word does.
static ENTRA: &[(u32, &Meaning)] = &[
    (SERVICE_PRINCIPAL_MISSING, &CONSENT_WITHDRAWN),
    (700_016, &CONSENT_WITHDRAWN),
    (7_000_112, &APPLICATION_DISABLED),
    (65_001, &CONSENT_REQUIRED),
    (65_004, &CONSENT_REQUIRED),
    (90_094, &ADMIN_CONSENT_REQUIRED),
    (90_095, &ADMIN_CONSENT_REQUIRED),
    (54_005, &GRANT_ALREADY_USED),
    (50_173, &SIGN_IN_REVOKED),
    (50_132, &SIGN_IN_REVOKED),
    (50_133, &SIGN_IN_REVOKED),
    (70_008, &GRANT_EXPIRED),
    (70_000, &GRANT_EXPIRED),
    (70_043, &GRANT_EXPIRED),
    (700_082, &GRANT_EXPIRED),
    (700_005, &GRANT_EXPIRED),
    (501_481, &GRANT_EXPIRED),
    (50_072, &MFA_REQUIRED),
    (50_074, &MFA_REQUIRED),
    (50_076, &MFA_REQUIRED),
    (50_078, &MFA_REQUIRED),
    (50_079, &MFA_REQUIRED),
    (50_158, &CONDITIONAL_ACCESS),
    (53_000, &CONDITIONAL_ACCESS),
    (53_001, &CONDITIONAL_ACCESS),
    (53_003, &CONDITIONAL_ACCESS),
    (530_032, &CONDITIONAL_ACCESS),
    (7_000_215, &CLIENT_SECRET_REFUSED),
    (7_000_218, &CLIENT_SECRET_REFUSED),
    (7_000_222, &CLIENT_SECRET_EXPIRED),
    (28_002, &APPLICATION_MISCONFIGURED),
    (28_003, &APPLICATION_MISCONFIGURED),
    (50_011, &APPLICATION_MISCONFIGURED),
    (50_194, &APPLICATION_MISCONFIGURED),
    (70_011, &APPLICATION_MISCONFIGURED),
    (650_052, &APPLICATION_MISCONFIGURED),
    (650_056, &APPLICATION_MISCONFIGURED),
    (650_057, &APPLICATION_MISCONFIGURED),
    (700_022, &APPLICATION_MISCONFIGURED),
    (700_025, &APPLICATION_MISCONFIGURED),
    (900_144, &APPLICATION_MISCONFIGURED),
    (9_001_023, &APPLICATION_MISCONFIGURED),
    (500_011, &RESOURCE_NOT_IN_TENANT),
    (50_049, &TENANT_NOT_FOUND),
    (90_002, &TENANT_NOT_FOUND),
    (LOOP_DETECTED, &MICROSOFT_THROTTLED),
    (50_087, &MICROSOFT_UNAVAILABLE),
    (90_006, &MICROSOFT_UNAVAILABLE),
    (90_033, &MICROSOFT_UNAVAILABLE),
    (90_055, &MICROSOFT_UNAVAILABLE),
];

/// Entra's `error` words.
static ENTRA_WORDS: &[(&str, &Meaning)] = &[
    ("access_denied", &CONSENT_REQUIRED),
    ("consent_required", &CONSENT_REQUIRED),
    ("interaction_required", &INTERACTION_REQUIRED),
    ("invalid_client", &CLIENT_SECRET_REFUSED),
    ("invalid_grant", &GRANT_EXPIRED),
    ("invalid_instance", &TENANT_NOT_FOUND),
    ("invalid_request", &UNEXPECTED_ANSWER),
    ("invalid_resource", &RESOURCE_NOT_IN_TENANT),
    ("invalid_scope", &APPLICATION_MISCONFIGURED),
    ("invalid_tenant", &TENANT_NOT_FOUND),
    ("login_required", &INTERACTION_REQUIRED),
    ("server_error", &MICROSOFT_UNAVAILABLE),
    ("temporarily_unavailable", &MICROSOFT_UNAVAILABLE),
    ("unauthorized_client", &CONSENT_WITHDRAWN),
    ("unsupported_grant_type", &APPLICATION_MISCONFIGURED),
];

/// Entra's `suberror` words, which narrow `invalid_grant` and `interaction_required`.
static ENTRA_SUBERRORS: &[(&str, &Meaning)] = &[
    ("additional_action", &INTERACTION_REQUIRED),
    ("bad_token", &GRANT_EXPIRED),
    ("basic_action", &INTERACTION_REQUIRED),
    ("client_mismatch", &GRANT_EXPIRED),
    ("consent_required", &CONSENT_REQUIRED),
    ("message_only", &CONDITIONAL_ACCESS),
    ("protection_policy_required", &CONDITIONAL_ACCESS),
    ("token_expired", &GRANT_EXPIRED),
    ("user_password_expired", &INTERACTION_REQUIRED),
];

/// Codes of Azure Resource Manager, Resource Graph and Microsoft Graph.
static RESOURCE_CODES: &[(&str, &Meaning)] = &[
    ("AnotherOperationInProgress", &CONFLICT),
    ("Authentication_MSGraphPermissionMissing", &PERMISSION_MISSING),
    ("Authentication_RequestFromNonPremiumTenantOrB2CTenant", &PREMIUM_LICENCE_MISSING),
    ("Authorization_RequestDenied", &PERMISSION_MISSING),
    ("AuthorizationFailed", &FORBIDDEN),
    ("Conflict", &CONFLICT),
    ("ExpiredAuthenticationToken", &TOKEN_REFUSED),
    ("InvalidAuthenticationToken", &TOKEN_REFUSED),
    ("InvalidAuthenticationTokenTenant", &WRONG_TENANT),
    ("InvalidTagName", &TAG_REFUSED),
    ("InvalidTagNameCharacters", &TAG_REFUSED),
    ("InvalidTags", &TAG_REFUSED),
    ("InvalidTagValueLength", &TAG_REFUSED),
    ("LinkedAuthorizationFailed", &FORBIDDEN),
    ("MissingCredentials", &REPORTS_INCIDENT),
    ("PrincipalNotFound", &PRINCIPAL_NOT_FOUND),
    ("RateLimiting", &MICROSOFT_THROTTLED),
    ("ReadOnlyDisabledSubscription", &SUBSCRIPTION_DISABLED),
    ("RequestDisallowedByPolicy", &DENIED_BY_POLICY),
    ("Request_ResourceNotFound", &NOT_FOUND),
    ("ResourceGroupNotFound", &NOT_FOUND),
    ("ResourceNotFound", &NOT_FOUND),
    ("RetryableErrorDueToAnotherOperation", &CONFLICT),
    ("RoleAssignmentExists", &ROLE_ASSIGNMENT_EXISTS),
    ("RoleAssignmentLimitExceeded", &LIMIT_REACHED),
    ("RoleAssignmentUpdateNotPermitted", &ROLE_ASSIGNMENT_DIFFERS),
    ("resyncRequired", &DELTA_TOKEN_DEAD),
    ("S2SUnauthorized", &REPORTS_PERMISSION_MISSING),
    ("ScopeLocked", &SCOPE_LOCKED),
    ("SubscriptionNotFound", &SUBSCRIPTION_NOT_FOUND),
    ("syncStateNotFound", &DELTA_TOKEN_DEAD),
    // Of reports: https://github.com/microsoftgraph/microsoft-graph-docs/issues/5738
    ("UnknownTenantId", &OFFICE_365_MISSING),
];

/// What an Entra error means: the words decide, a number only sharpens what they say.
pub(crate) fn entra(
    status: u16,
    error: Option<&str>,
    suberror: Option<&str>,
    numbers: &[u32],
) -> &'static Meaning {
    let overriding = [SERVICE_PRINCIPAL_MISSING, LOOP_DETECTED].into_iter().find(|n| numbers.contains(n));
    if let Some(meaning) = overriding.and_then(number) {
        return meaning;
    }
    let word = error.and_then(|word| find(ENTRA_WORDS, word));
    let sharper = numbers.iter().find_map(|n| number(*n));
    match (word, sharper) {
        (Some(word), Some(sharper)) if may_sharpen(word, sharper) => sharper,
        (Some(word), _) => suberror.and_then(|sub| find(ENTRA_SUBERRORS, sub)).unwrap_or(word),
        (None, Some(sharper)) => sharper,
        (None, None) => by_status(status),
    }
}

/// Our own faults and outages keep their word: a number must not turn them into the customer's fault.
fn may_sharpen(word: &Meaning, number: &Meaning) -> bool {
    match word.kind {
        Kind::Misconfigured | Kind::Unavailable => number.kind == word.kind,
        _ => true,
    }
}

/// What an AADSTS number means, if it is in the table.
pub(crate) fn number(number: u32) -> Option<&'static Meaning> {
    ENTRA.iter().find(|(known, _)| *known == number).map(|(_, meaning)| *meaning)
}

/// What an error of Resource Manager or Graph means.
pub(crate) fn resource(status: u16, code: Option<&str>) -> &'static Meaning {
    let by_status = by_status(status);
    if matches!(by_status.kind, Kind::Throttled | Kind::Unavailable) {
        return by_status;
    }
    code.and_then(|code| find(RESOURCE_CODES, code)).unwrap_or(by_status)
}

/// The fallback for codes that nobody has seen.
fn by_status(status: u16) -> &'static Meaning {
    match status {
        401 => &TOKEN_REFUSED,
        403 => &FORBIDDEN,
        404 | 410 => &NOT_FOUND,
        409 | 412 => &CONFLICT,
        429 => &MICROSOFT_THROTTLED,
        501 => &UNEXPECTED_ANSWER,
        408 | 500..=599 => &MICROSOFT_UNAVAILABLE,
        _ => &UNEXPECTED_ANSWER,
    }
}

fn find(table: &[(&str, &'static Meaning)], key: &str) -> Option<&'static Meaning> {
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
#[path = "codes_tests.rs"]
mod tests;
