//! The tenants that a user belongs to.
//!
//! <https://learn.microsoft.com/en-us/rest/api/resources/tenants/list>.

use serde::Deserialize;
use uuid::Uuid;

use crate::{Arm, Caller, MicrosoftError, pages};

/// A tenant; guests see some without a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantInfo {
    /// The tenant's id.
    pub tenant_id: Uuid,
    /// The company's name.
    pub display_name: Option<String>,
    /// The domain that new users get.
    pub default_domain: Option<String>,
    /// Every verified domain.
    #[serde(default)]
    pub domains: Vec<String>,
}

impl Arm {
    /// Every tenant the caller belongs to.
    pub async fn tenants(&self, caller: &Caller) -> Result<Vec<TenantInfo>, MicrosoftError> {
        pages::all(&self.link, caller, self.get("/tenants?api-version=2022-12-01")).await
    }
}
