//! <https://learn.microsoft.com/en-us/azure/azure-resource-manager/>: the endpoints of a cloud, which command
//! line clients ask for when they are pointed at another one.

use serde_json::json;

use crate::reply::Reply;
use crate::server::Incoming;
use crate::state::State;

/// From this version on the answer is the cloud itself; before, it is a list of clouds.
const ONE_CLOUD_SINCE: &str = "2022-09-01";

pub(super) fn endpoints(state: &State, incoming: &Incoming) -> Reply {
    let base = state.base_url();
    let host = base.split("//").nth(1).unwrap_or_default();
    let cloud = json!({
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
    });
    let is_list = incoming.parameter("api-version").is_none_or(|version| version < ONE_CLOUD_SINCE);
    Reply::json(200, &if is_list { json!([cloud]) } else { cloud })
}
