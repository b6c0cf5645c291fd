//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/>: the endpoints of a cloud, which command
//! line clients ask for when they are pointed at another one.

use serde_json::json;

use crate::reply::Reply;
use crate::state::State;

pub(super) fn endpoints(state: &State) -> Reply {
    let base = state.base_url();
    let host = base.split("//").nth(1).unwrap_or_default();
    Reply::json(
        200,
        &json!([{
            "name": "Simulated",
            "resourceManager": base,
            "microsoftGraphResourceId": "https://graph.microsoft.com/",
            "graph": base, "graphAudience": "https://graph.microsoft.com/",
            "portal": base, "gallery": base, "batch": base, "media": base, "sqlManagement": base,
            "activeDirectoryDataLake": base, "vmImageAliasDoc": base, "logAnalyticsResourceId": base,
            "authentication": {
                "loginEndpoint": base, "audiences": [base.clone(), "https://management.core.windows.net/"],
                "tenant": "common", "identityProvider": "AAD",
            },
            "suffixes": {
                "storage": host, "keyVaultDns": host, "acrLoginServer": host, "sqlServerHostname": host,
                "azureDataLakeStoreFileSystem": host, "azureDataLakeAnalyticsCatalogAndJob": host,
            },
        }]),
    )
}
