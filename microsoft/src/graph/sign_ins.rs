//! When the users of a tenant last signed in.
//!
//! <https://learn.microsoft.com/en-us/graph/api/user-list>; needs `User.Read.All`, `AuditLog.Read.All` and a licence
//! for Microsoft Entra ID P1 or P2.

use chrono::{DateTime, Utc};
use futures::stream::{Stream, TryStreamExt};
use serde::Deserialize;
use uuid::Uuid;

use crate::caller::Caller;
use crate::pages::each;
use crate::{Graph, MicrosoftError, timestamp};

/// When a user last signed in. Without any time it is not known, which is not the same as never.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/signinactivity>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The user's object id.
    pub user_id: Uuid,
    /// The last time that the user tried to, even if that failed.
    pub attempted_at: Option<DateTime<Utc>>,
    /// The last time that an app tried to for the user, even if that failed.
    pub attempted_by_app_at: Option<DateTime<Utc>>,
    /// The last time that either succeeded; known since December 2023.
    pub succeeded_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: Uuid,
    sign_in_activity: Option<Activity>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    #[serde(default, deserialize_with = "timestamp::lenient")]
    last_sign_in_date_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    last_non_interactive_sign_in_date_time: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "timestamp::lenient")]
    last_successful_sign_in_date_time: Option<DateTime<Utc>>,
}

impl Graph {
    /// Every user's last sign-ins, page by page. `LicenceMissing`: the tenant has no premium licence; `Forbidden`: a
    /// permission is missing.
    pub fn sign_ins(
        &self,
        tenant: Uuid,
    ) -> impl Stream<Item = Result<Vec<SignIn>, MicrosoftError>> + Send + 'static + use<> {
        // More on a page than 500 is not had with these dates.
        let call = self.call("/users?$select=id,signInActivity&$top=500").patient();
        let pages = each::<Row>(self.link.clone(), Caller::App { tenant }, call);
        pages.map_ok(|rows| rows.into_iter().map(SignIn::from).collect())
    }
}

impl From<Row> for SignIn {
    fn from(row: Row) -> Self {
        let activity = row.sign_in_activity.unwrap_or_default();
        Self {
            user_id: row.id,
            attempted_at: activity.last_sign_in_date_time,
            attempted_by_app_at: activity.last_non_interactive_sign_in_date_time,
            succeeded_at: activity.last_successful_sign_in_date_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_signed_in_has_no_times() {
        let id = Uuid::from_u128(7);
        let sign_in = |rest: &str| {
            SignIn::from(serde_json::from_str::<Row>(&format!(r#"{{"id":"{id}"{rest}}}"#)).expect("a row"))
        };
        let never = SignIn { user_id: id, attempted_at: None, attempted_by_app_at: None, succeeded_at: None };
        for rest in ["", r#","signInActivity":null"#, r#","signInActivity":{"lastSignInDateTime":null}"#] {
            assert_eq!(sign_in(rest), never, "{rest}");
        }
        let once = sign_in(r#","signInActivity":{"lastSignInDateTime":"2026-01-01T00:00:00Z"}"#);
        assert!(once.attempted_at.is_some() && once.succeeded_at.is_none());
    }
}
