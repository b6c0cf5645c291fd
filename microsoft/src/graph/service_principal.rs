//! Tenantry's own service principal, as the directory of a tenant shows it.
//!
//! <https://learn.microsoft.com/en-us/graph/api/serviceprincipal-get>; needs `Application.Read.All`.

use serde::Deserialize;
use uuid::Uuid;

use crate::{Graph, MicrosoftError};

/// A service principal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipal {
    /// Its object id, which role assignments name.
    #[serde(rename = "id")]
    pub object_id: Uuid,
    /// The name of the enterprise application.
    pub display_name: Option<String>,
    /// Whether it may get tokens; absent on some replies.
    #[serde(rename = "accountEnabled")]
    pub enabled: Option<bool>,
}

impl Graph {
    /// Tenantry's service principal in a tenant; `NotFound` if nobody consented there.
    pub async fn service_principal(&self, tenant: Uuid) -> Result<ServicePrincipal, MicrosoftError> {
        let path = format!(
            "/servicePrincipals(appId='{}')?$select=id,appId,displayName,accountEnabled",
            self.client_id
        );
        self.get(tenant, &path).await
    }
}
