//! The EA reporting service when it refuses.

use std::time::Duration;

use microsoft::MicrosoftError;

use crate::server::{Server, json};

#[tokio::test]
async fn a_key_is_presented_once_and_a_refusal_is_named_by_what_it_means() {
    for (status, is_meant) in [
        (401, (|error| matches!(error, MicrosoftError::TokenExpired { .. })) as fn(&MicrosoftError) -> bool),
        (403, |error| matches!(error, MicrosoftError::Forbidden { .. })),
        (404, |error| matches!(error, MicrosoftError::NotFound { .. })),
        (400, |error| matches!(error, MicrosoftError::Unexpected { .. })),
    ] {
        let server = Server::start(move |_, _, _| json(status, "", r#"{"message":"Unauthorized"}"#)).await;

        let refused = server.client().consumption().check_key("100", &"eyJ.key".into()).await;

        let error = refused.expect_err("a refusal");
        assert!(is_meant(&error), "{status}: {error}");
        assert_eq!(server.lines(), ["GET /v3/enrollments/100/billingperiods"]);
        assert!(server.received()[0].headers.contains("authorization: bearer eyj.key"));
        assert!(!error.to_string().contains("eyJ"));
    }
}

#[tokio::test]
async fn it_says_in_a_header_of_its_own_how_long_to_wait() {
    let wait = "x-ms-ratelimit-microsoft.consumption-retry-after: 120\r\n";
    let server = Server::start(move |_, _, _| json(429, wait, "{}")).await;

    let refused = server.client().consumption().check_key("100", &"key".into()).await;

    let error = refused.expect_err("a refusal");
    assert!(error.retry_after() >= Some(Duration::from_mins(2)), "{error}");
}

#[tokio::test]
async fn what_is_no_number_is_not_asked_for() {
    let server = Server::start(|_, _, _| json(200, "", "[]")).await;
    for odd in ["", "../100", "100/x", "100?x=1"] {
        assert!(server.client().consumption().check_key(odd, &"key".into()).await.is_err(), "{odd}");
    }
    assert!(server.lines().is_empty());
    assert!(server.client().consumption().check_key("100", &"key".into()).await.is_ok());
}
