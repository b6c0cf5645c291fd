//! Azure's EA reporting service: enrollment keys, and what is told to whoever presents one.
//!
//! <https://learn.microsoft.com/en-us/azure/cost-management-billing/manage/enterprise-api>
//! <https://learn.microsoft.com/en-us/azure/cost-management-billing/manage/enterprise-rest-apis>
//!
//! Documented are the statuses alone: 401 for a key that is not found, invalid or expired, 404 for a report that
//! is none, 400 for a bad parameter. What happens when whoever made the key may not see charges any more is not;
//! it is a 403 here, as at Microsoft's other services.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Months, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::keys::Keys;
use crate::reply::Reply;
use crate::server::{Incoming, Simulator, StartError};
use crate::state::{State, lock};

/// How the path of every call begins.
pub(crate) const PREFIX: &str = "/v3/enrollments/";

const ISSUER: &str = "ea.microsoftazure.com";
const AUDIENCE: &str = "client.ea.microsoftazure.com";

/// As whom somebody makes an enrollment key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportView {
    /// An enterprise administrator: sees everything.
    System,
    /// A department administrator.
    Department,
    /// An account owner.
    Account,
}

impl ReportView {
    fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Department => "Department",
            Self::Account => "Account",
        }
    }
}

struct Issued {
    enrollment_number: String,
    revoked: bool,
    may_see_charges: bool,
}

/// The enrollment keys that were made. They are signed with a key of their own, which nobody publishes.
#[derive(Default)]
pub(crate) struct Enrollments {
    keys: Option<Keys>,
    issued: HashMap<Uuid, Issued>,
}

impl Enrollments {
    /// What is known of a key that we signed.
    fn known(&self, key: &str) -> Option<(&Issued, Value)> {
        let claims = self.keys.as_ref()?.verify(key)?;
        let issued = self.issued.get(&Uuid::try_parse(claims["Id"].as_str()?).ok()?)?;
        let is_ours = claims["iss"] == ISSUER && claims["aud"] == AUDIENCE;
        is_ours.then_some((issued, claims))
    }

    fn known_mut(&mut self, key: &str) -> Option<&mut Issued> {
        let claims = self.keys.as_ref()?.verify(key)?;
        self.issued.get_mut(&Uuid::try_parse(claims["Id"].as_str()?).ok()?)
    }
}

impl Simulator {
    /// Makes a key for an enrollment, good for `lifetime`; Microsoft's own last six months.
    pub fn make_enrollment_key(
        &self,
        enrollment_number: &str,
        lifetime: TimeDelta,
        view: ReportView,
    ) -> Result<String, StartError> {
        let mut enrollments = lock(&self.state.enrollments);
        if enrollments.keys.is_none() {
            enrollments.keys = Some(Keys::generate().map_err(|_| StartError::Keys)?);
        }
        let (id, now) = (Uuid::new_v4(), self.state.now());
        let claims = json!({
            "EnrollmentNumber": enrollment_number, "Id": id, "ReportView": view.name(), "PartnerId": "",
            "DepartmentId": if view == ReportView::Department { "1" } else { "" },
            "AccountId": if view == ReportView::Account { "1" } else { "" },
            "iss": ISSUER, "aud": AUDIENCE, "exp": (now + lifetime).timestamp(), "nbf": now.timestamp(),
        });
        let enrollment_number = enrollment_number.to_owned();
        enrollments.issued.insert(id, Issued { enrollment_number, revoked: false, may_see_charges: true });
        Ok(enrollments.keys.as_ref().map(|keys| keys.sign_by_thumbprint(&claims)).unwrap_or_default())
    }

    /// Disables a key.
    pub fn revoke_enrollment_key(&self, key: &str) {
        if let Some(issued) = lock(&self.state.enrollments).known_mut(key) {
            issued.revoked = true;
        }
    }

    /// Takes the right to see charges from whoever made a key.
    pub fn hide_charges_from(&self, key: &str) {
        if let Some(issued) = lock(&self.state.enrollments).known_mut(key) {
            issued.may_see_charges = false;
        }
    }
}

pub(crate) fn answer(state: &State, incoming: &Incoming) -> Reply {
    let path = incoming.path.to_lowercase();
    let number = path.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix("/billingperiods"));
    let Some(number) = number.filter(|number| !number.contains('/') && incoming.method == "GET") else {
        return Reply::error(404, "NotFound", "The report endpoint was not found.");
    };
    if let Err(refusal) = admit(state, incoming, number) {
        return refusal;
    }
    let periods = (0..3).filter_map(|back| period(state.now(), number, back)).collect();
    Reply::json(200, &Value::Array(periods))
}

fn admit(state: &State, incoming: &Incoming, number: &str) -> Result<(), Reply> {
    let refuse = |message: &str| Err(Reply::error(401, "Unauthorized", message));
    let authorization = incoming.authorization.as_deref().unwrap_or_default();
    let key = match authorization.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => return refuse("The API key is missing."),
    };
    let enrollments = lock(&state.enrollments);
    let Some((issued, claims)) = enrollments.known(key) else { return refuse("The API key is invalid.") };
    let now = state.now().timestamp();
    let from = claims["nbf"].as_i64().unwrap_or(i64::MAX);
    if claims["exp"].as_i64().unwrap_or_default() <= now || from > now {
        return refuse("The API key is expired.");
    }
    if issued.revoked || !issued.enrollment_number.eq_ignore_ascii_case(number) {
        return refuse("The API key is not found.");
    }
    if !issued.may_see_charges {
        return Err(Reply::error(403, "Forbidden", "Viewing charges is not enabled."));
    }
    Ok(())
}

/// A billing period, so many months back.
fn period(now: DateTime<Utc>, number: &str, back: u32) -> Option<Value> {
    let start = now.date_naive().with_day(1)?.checked_sub_months(Months::new(back))?;
    let end = start.checked_add_months(Months::new(1))?.pred_opt()?;
    let id = start.format("%Y%m").to_string();
    let report = |name: &str| format!("/v3/enrollments/{number}/billingperiods/{id}/{name}");
    Some(json!({
        "billingPeriodId": id,
        "billingStart": format!("{start}T00:00:00Z"), "billingEnd": format!("{end}T11:59:59Z"),
        "balanceSummary": report("balancesummary"), "usageDetails": report("usagedetails"),
        "marketplaceCharges": report("marketplacecharges"), "priceSheet": report("pricesheet"),
    }))
}
