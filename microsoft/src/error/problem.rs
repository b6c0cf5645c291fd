//! Reads an error answer, in each of the shapes that Microsoft's services send.
//!
//! Canonical ARM: <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md>.
//! Entra: <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow#error-response-1>.

mod obstacles;

use std::time::Duration;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use serde::Deserialize;
use uuid::Uuid;

use super::codes::{self, Kind};
use super::redact::redact;
use super::{Detail, MicrosoftError};

/// Which service answered; each has its own error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Login,
    Arm,
    Graph,
    Consumption,
}

/// Every shape at once: Entra has `error` as a word, ARM and Graph as an object, some services neither.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<Problem>,
    code: Option<String>,
    message: Option<String>,
    error_description: Option<String>,
    #[serde(deserialize_with = "lenient_numbers")]
    error_codes: Vec<u32>,
    suberror: Option<String>,
    trace_id: Option<String>,
    correlation_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Problem {
    Word(String),
    Object(Object),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    code: Option<String>,
    message: Option<String>,
    details: Option<Vec<Object>>,
    #[serde(rename = "additionalInfo", deserialize_with = "obstacles::lenient")]
    additional_info: Vec<String>,
}

fn lenient_numbers<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Numbers {
        Known(Vec<u32>),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Numbers::deserialize(deserializer)? {
        Numbers::Known(numbers) => numbers,
        Numbers::Other(_) => Vec::new(),
    })
}

/// An error answer.
pub(crate) struct Answer<'a> {
    pub service: Service,
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub retry_after: Option<Duration>,
    /// Our own id of the call, for where Microsoft gives none.
    pub correlation_id: Uuid,
}

/// The error that an answer means.
pub(crate) fn classify(answer: &Answer<'_>) -> MicrosoftError {
    let read: Body = serde_json::from_slice(answer.body).unwrap_or_default();
    match answer.service {
        Service::Login => entra(answer, read),
        Service::Arm | Service::Graph | Service::Consumption => resource(answer, read),
    }
}

fn entra(answer: &Answer<'_>, read: Body) -> MicrosoftError {
    let word = match read.error {
        Some(Problem::Word(word)) => Some(word),
        _ => None,
    };
    let meaning = if answer.status == 429 {
        &codes::MICROSOFT_THROTTLED
    } else {
        codes::entra(answer.status, word.as_deref(), read.suberror.as_deref(), &read.error_codes)
    };
    let detail = Detail {
        meaning,
        microsoft_code: read.error_codes.first().map(|number| format!("AADSTS{number}")).or(word),
        message: redact(&read.error_description.unwrap_or_default()),
        status: Some(answer.status),
        request_id: read.trace_id.or_else(|| header(answer.headers, "x-ms-request-id")),
        correlation_id: read.correlation_id.or_else(|| Some(answer.correlation_id.to_string())),
        obstacles: Vec::new(),
    };
    let retry_after = if read.error_codes.contains(&codes::LOOP_DETECTED) {
        Some(answer.retry_after.unwrap_or_default().max(codes::LOOP_RETRY_AFTER))
    } else {
        answer.retry_after
    };
    MicrosoftError::new(detail, retry_after)
}

fn resource(answer: &Answer<'_>, read: Body) -> MicrosoftError {
    let Object { code, message, details, additional_info } = match read.error {
        Some(Problem::Object(object)) => object,
        Some(Problem::Word(word)) => {
            Object { code: Some(word), message: read.error_description, ..Object::default() }
        }
        None => Object { code: read.code, message: read.message, ..Object::default() },
    };
    let is_wrapped = code.as_deref() == Some("UnknownError");
    let (code, message) = match message.as_deref().filter(|_| is_wrapped).and_then(wrapped) {
        Some(inner) => (inner.code.or(code), inner.message),
        None => (code, message),
    };
    // Resource Graph says `BadRequest` or `RateLimiting` and puts what it means below.
    let inner = details.unwrap_or_default().into_iter().next().unwrap_or_default();
    let message = match (message, inner.message) {
        (Some(outer), Some(inner)) => format!("{inner} {outer}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => String::new(),
    };
    let meaning = match codes::resource(answer.status, code.as_deref()) {
        _ if answer.status == 401 && challenges_claims(answer.headers) => &codes::INTERACTION_REQUIRED,
        found if found.kind == Kind::Forbidden && message.contains("ABAC condition") => {
            &codes::CONDITION_BLOCKED
        }
        found if found == &codes::FORBIDDEN && answer.service == Service::Graph => &codes::PERMISSION_MISSING,
        // Nothing but a delta query is gone at Graph, whatever it calls that.
        found if found == &codes::NOT_FOUND && answer.service == Service::Graph && answer.status == 410 => {
            &codes::DELTA_TOKEN_DEAD
        }
        found => found,
    };
    let in_the_way = match meaning {
        found if found == &codes::DENIED_BY_POLICY => additional_info,
        found if found == &codes::SCOPE_LOCKED => obstacles::locked_scopes(&message),
        _ => Vec::new(),
    };
    let detail = Detail {
        meaning,
        microsoft_code: code.or(inner.code),
        message: redact(&message),
        status: Some(answer.status),
        request_id: header(answer.headers, "x-ms-request-id")
            .or_else(|| header(answer.headers, "request-id")),
        correlation_id: header(answer.headers, "x-ms-correlation-request-id")
            .or_else(|| Some(answer.correlation_id.to_string())),
        obstacles: in_the_way.iter().take(obstacles::MOST).map(|name| redact(name)).collect(),
    };
    MicrosoftError::new(detail, answer.retry_after)
}

/// The error whose text is the message: <https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/5584>.
fn wrapped(message: &str) -> Option<Object> {
    match serde_json::from_str::<Body>(message).ok()?.error {
        Some(Problem::Object(object)) => Some(object),
        _ => None,
    }
}

/// <https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge>: parameters come in any
/// order, in any of several headers, and empty claims are no challenge.
fn challenges_claims(headers: &HeaderMap) -> bool {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.contains("insufficient_claims") && value.contains("claims=\"") && !value.contains("claims=\"\"")
    })
}

pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn answer(service: Service, status: u16, headers: &HeaderMap, body: &[u8]) -> MicrosoftError {
        classify(&Answer { service, status, headers, body, retry_after: None, correlation_id: Uuid::nil() })
    }

    fn arm(status: u16, body: &str) -> MicrosoftError {
        answer(Service::Arm, status, &HeaderMap::new(), body.as_bytes())
    }

    fn login(status: u16, body: &str) -> MicrosoftError {
        answer(Service::Login, status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn odd_bodies_fall_back_to_the_status() {
        for body in ["", "\"\"", "<html>502</html>", "null", "[]", "{\"error\":7}", "{}"] {
            assert!(matches!(arm(502, body), MicrosoftError::Unavailable { .. }), "{body}");
            assert!(matches!(arm(429, body), MicrosoftError::Throttled { .. }), "{body}");
            assert!(matches!(login(503, body), MicrosoftError::Unavailable { .. }), "{body}");
        }
    }

    #[test]
    fn a_bare_code_is_read() {
        let error = arm(404, r#"{"code":"SubscriptionNotFound","message":"gone"}"#);
        assert_eq!(
            (error.code(), error.microsoft_code()),
            ("SUBSCRIPTION_NOT_FOUND", Some("SubscriptionNotFound"))
        );
    }

    #[test]
    fn a_condition_is_told_from_a_missing_role() {
        let body = |text: &str| format!(r#"{{"error":{{"code":"AuthorizationFailed","message":"{text}"}}}}"#);
        assert!(matches!(
            arm(
                403,
                &body("does not have authorization or an ABAC condition not fulfilled to perform action")
            ),
            MicrosoftError::ConditionBlocked { .. }
        ));
        assert!(matches!(
            arm(403, &body("does not have authorization to perform action")),
            MicrosoftError::Forbidden { .. }
        ));
    }

    #[test]
    fn what_the_directory_refuses_is_named_by_what_is_missing() {
        let graph = |status, code: &str| {
            let body = format!(
                r#"{{"error":{{"code":"{code}","message":"m","innerError":{{"date":"2026-01-09T12:00:00"}}}}}}"#
            );
            answer(Service::Graph, status, &HeaderMap::new(), body.as_bytes())
        };
        let premium = graph(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant");
        assert!(matches!(premium, MicrosoftError::LicenceMissing { .. }));
        assert_eq!(premium.code(), "PREMIUM_LICENCE_MISSING");
        for code in ["Authentication_MSGraphPermissionMissing", "Authorization_RequestDenied", "UnknownError"]
        {
            assert!(matches!(graph(403, code), MicrosoftError::Forbidden { .. }), "{code}");
            assert_eq!(graph(403, code).code(), "PERMISSION_MISSING", "{code}");
        }
        assert!(matches!(graph(403, "MissingCredentials"), MicrosoftError::Unavailable { .. }));
        assert_eq!(graph(404, "UnknownTenantId").code(), "OFFICE_365_MISSING");
        for (status, code) in
            [(410, "resyncRequired"), (410, "syncStateNotFound"), (400, "syncstatenotfound")]
        {
            assert!(matches!(graph(status, code), MicrosoftError::DeltaTokenDead { .. }), "{status} {code}");
        }
        assert!(matches!(graph(410, "SomethingNew"), MicrosoftError::DeltaTokenDead { .. }));
        assert!(matches!(arm(410, "{}"), MicrosoftError::NotFound { .. }));
    }

    #[test]
    fn resource_graphs_inner_message_comes_first() {
        let error = arm(
            400,
            r#"{"error":{"code":"BadRequest","message":"timestamp","details":[{"code":"InvalidQuery","message":"bad column"}]}}"#,
        );
        assert!(error.detail().message.starts_with("bad column"));
    }

    #[test]
    fn an_error_in_the_text_of_another_is_the_one_that_counts() {
        let inner = r#"{\"error\":{\"code\":\"S2SUnauthorized\",\"message\":\"Invalid permission.\"}}"#;
        let body = format!(r#"{{"error":{{"code":"UnknownError","message":"{inner}"}}}}"#);
        let error = answer(Service::Graph, 403, &HeaderMap::new(), body.as_bytes());
        assert_eq!(error.code(), "REPORTS_PERMISSION_MISSING");
        assert_eq!(error.microsoft_code(), Some("S2SUnauthorized"));
        assert_eq!(error.detail().message, "Invalid permission.");
        let body = r#"{"error":{"code":"UnknownError","message":"{\"odd\":1}"}}"#;
        let error = answer(Service::Graph, 403, &HeaderMap::new(), body.as_bytes());
        assert_eq!((error.code(), error.microsoft_code()), ("PERMISSION_MISSING", Some("UnknownError")));
    }

    #[test]
    fn a_claims_challenge_needs_a_person() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("PoP nonce=\"x\""));
        headers.append(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer claims=\"eyJh\", error=\"insufficient_claims\""),
        );
        let error = answer(Service::Arm, 401, &headers, b"");
        assert!(matches!(error, MicrosoftError::InteractionRequired { .. }));
    }

    #[test]
    fn entra_keeps_its_ids_and_hides_addresses() {
        let error = login(
            400,
            r#"{"error":"invalid_grant","error_description":"AADSTS50076: ann@contoso.com needs MFA\r\nTrace ID: 1","error_codes":[50076],"trace_id":"t","correlation_id":"c","suberror":"basic_action"}"#,
        );
        assert_eq!(error.code(), "MFA_REQUIRED");
        assert_eq!((error.request_id(), error.correlation_id()), (Some("t"), Some("c")));
        assert!(!error.to_string().contains('@'));
    }

    #[test]
    fn loop_detection_waits_a_minute() {
        let error = login(400, r#"{"error":"invalid_grant","error_codes":[50196]}"#);
        assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    }

    proptest! {
        #[test]
        fn no_body_is_too_odd(status in 400u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for service in [Service::Login, Service::Arm, Service::Graph, Service::Consumption] {
                let error = answer(service, status, &HeaderMap::new(), &body);
                prop_assert!(!error.person_message().is_empty());
            }
        }
    }
}
