//! Whether a tenant conceals the names of users, groups and sites in its reports.
//!
//! <https://learn.microsoft.com/en-us/graph/api/adminreportsettings-get>; needs `ReportSettings.Read.All`.

use serde::Deserialize;
use uuid::Uuid;

use crate::error::codes;
use crate::{Graph, MicrosoftError};

/// The entity alone, or wrapped as in Microsoft's example.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    display_concealed_names: Option<bool>,
    value: Option<Wrapped>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped {
    display_concealed_names: Option<bool>,
}

impl Settings {
    /// Microsoft's name for it reads like the opposite: true means that names are concealed.
    fn conceals_names(self) -> Option<bool> {
        let wrapped = self.value.and_then(|value| value.display_concealed_names);
        self.display_concealed_names.or(wrapped)
    }
}

impl Graph {
    /// Whether names in reports are concealed.
    pub async fn conceals_names(&self, tenant: Uuid) -> Result<bool, MicrosoftError> {
        let settings: Settings = self.get(tenant, "/admin/reportSettings").await?;
        settings.conceals_names().ok_or_else(|| {
            MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "nothing is said of whether names are concealed")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_envelopes_are_opened() {
        let read = |json: &str| serde_json::from_str::<Settings>(json).expect("settings").conceals_names();
        assert_eq!(read(r#"{"@odata.context":"c","displayConcealedNames":true}"#), Some(true));
        assert_eq!(read(r#"{"displayConcealedNames":false}"#), Some(false));
        assert_eq!(read(r#"{"value":{"@odata.type":"t","displayConcealedNames":true}}"#), Some(true));
        for silent in ["{}", r#"{"value":null}"#, r#"{"value":{}}"#, r#"{"displayConcealedNames":null}"#] {
            assert_eq!(read(silent), None, "{silent}");
        }
    }
}
