//! Azure's EA reporting service: whether Microsoft takes an enrollment key.
//!
//! <https://learn.microsoft.com/en-us/azure/cost-management-billing/manage/enterprise-api>: a key is presented
//! like a token, and 401 stands for all of unknown, invalid, disabled and expired.

use reqwest::Method;
use secrecy::SecretString;
use uuid::Uuid;

use crate::MicrosoftError;
use crate::base::Base;
use crate::error::codes;
use crate::error::problem::Service;
use crate::http::{Http, Repeat, Request, body_limit, patience};
use crate::throttle::{Budget, Lane, Principal};

/// Longer than any number of an enrollment.
const LONGEST_NUMBER: usize = 20;

/// Azure's EA reporting service.
#[derive(Clone)]
pub struct Consumption {
    http: Http,
    base: Base,
}

impl Consumption {
    pub(crate) fn new(http: Http, base: Base) -> Self {
        Self { http, base }
    }

    /// Asks for the billing periods of an enrollment, the lightest that every key may read. `TokenExpired`:
    /// Microsoft does not take the key. `Forbidden`: it takes it, but not for this.
    pub async fn check_key(&self, enrollment_number: &str, key: &SecretString) -> Result<(), MicrosoftError> {
        if !is_number(enrollment_number) {
            return Err(MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "this is no number of an enrollment"));
        }
        let path = format!("/v3/enrollments/{enrollment_number}/billingperiods");
        let request = Request {
            service: Service::Consumption,
            method: Method::GET,
            url: self.base.at(&path),
            content_type: None,
            body: bytes::Bytes::new(),
            basic: None,
            if_none_match: None,
            also_answers: &[],
            bearer: Some(key.clone()),
            lane: Lane {
                tenant: Uuid::nil(),
                subscription: None,
                budget: Budget::Consumption,
                principal: Principal::bearing(key),
            },
            patience: patience::JOB,
            body_limit: body_limit::OBJECT,
            repeat: Repeat::Always,
            correlation_id: Uuid::new_v4(),
            watch: None,
        };
        self.http.send(&request).await.map(drop)
    }
}

/// Whether `text` can be the number of an enrollment.
pub fn is_number(text: &str) -> bool {
    (1..=LONGEST_NUMBER).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn a_number_never_leaves_its_place_in_the_path() {
        for number in ["100", "12345678", "V5702303S0121"] {
            assert!(is_number(number), "{number}");
        }
        let long = "1".repeat(LONG);
        for bad in ["", " 100", "1/2", "100?x", "..", "1%2F2", "ä", long.as_str()] {
            assert!(!is_number(bad), "{bad}");
        }
    }

    const LONG: usize = super::LONGEST_NUMBER + 1;
}
