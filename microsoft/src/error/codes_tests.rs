use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn meanings_are_distinct_sentences() {
    let codes: BTreeSet<_> = ALL.iter().map(|m| m.code).collect();
    let messages: BTreeSet<_> = ALL.iter().map(|m| m.message).collect();
    assert_eq!((codes.len(), messages.len()), (ALL.len(), ALL.len()));
    assert!(ALL.iter().all(|m| m.message.ends_with('.')));
}

#[test]
fn no_microsoft_code_is_listed_twice() {
    let numbers: BTreeSet<_> = ENTRA.iter().map(|(n, _)| n).collect();
    assert_eq!(numbers.len(), ENTRA.len());
    let codes: BTreeSet<_> = RESOURCE_CODES.iter().map(|(c, _)| c.to_ascii_lowercase()).collect();
    assert_eq!(codes.len(), RESOURCE_CODES.len());
}

#[test]
fn words_decide_and_numbers_sharpen() {
    let meaning = |error, sub, numbers: &[u32]| entra(400, error, sub, numbers).code;
    assert_eq!(meaning(Some("invalid_grant"), None, &[70_008]), "GRANT_EXPIRED");
    assert_eq!(meaning(Some("invalid_grant"), None, &[70_002, 54_005]), "GRANT_ALREADY_USED");
    assert_eq!(meaning(Some("invalid_grant"), Some("consent_required"), &[1]), "CONSENT_REQUIRED");
    assert_eq!(meaning(Some("invalid_grant"), Some("basic_action"), &[50_076]), "MFA_REQUIRED");
    assert_eq!(meaning(Some("invalid_grant"), None, &[999_999]), "GRANT_EXPIRED");
    assert_eq!(meaning(Some("unauthorized_client"), None, &[7_000_112]), "APPLICATION_DISABLED");
    assert_eq!(meaning(Some("invalid_request"), None, &[90_002]), "TENANT_NOT_FOUND");
    assert_eq!(meaning(None, None, &[]), "UNEXPECTED_ANSWER");
}

#[test]
fn two_numbers_override_the_word() {
    assert_eq!(entra(401, Some("invalid_client"), None, &[7_000_229]).code, "CONSENT_WITHDRAWN");
    assert_eq!(entra(400, Some("invalid_grant"), None, &[50_196]).code, "MICROSOFT_THROTTLED");
}

#[test]
fn a_refused_secret_is_never_the_customers_fault() {
    assert_eq!(entra(401, Some("invalid_client"), None, &[7_000_215]).code, "CLIENT_SECRET_REFUSED");
    assert_eq!(entra(401, Some("invalid_client"), None, &[700_016]).code, "CLIENT_SECRET_REFUSED");
}

#[test]
fn throttling_wins_over_any_code() {
    assert_eq!(resource(429, Some("OperationNotAllowed")).kind, Kind::Throttled);
    assert_eq!(resource(429, Some("AuthorizationFailed")).kind, Kind::Throttled);
    assert_eq!(resource(503, Some("AuthorizationFailed")).kind, Kind::Unavailable);
    assert_eq!(resource(403, Some("MissingCredentials")).kind, Kind::Unavailable);
}

proptest! {
    #[test]
    fn every_answer_means_something(status in 300u16..600, code in proptest::option::of("[A-Za-z_]{0,20}")) {
        let meaning = resource(status, code.as_deref());
        prop_assert!(ALL.iter().any(|known| known.code == meaning.code));
    }
}
