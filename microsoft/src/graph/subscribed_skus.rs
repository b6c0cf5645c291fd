//! The licences that a tenant has bought, and how many of them it uses.
//!
//! <https://learn.microsoft.com/en-us/graph/api/subscribedsku-list>; needs `Organization.Read.All`.

use serde::Deserialize;
use uuid::Uuid;

use crate::caller::Caller;
use crate::pages::all;
use crate::{Graph, MicrosoftError};

/// Licences of one product.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/subscribedsku>
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscribedSku {
    /// The product's id, as users have it assigned.
    pub sku_id: Uuid,
    /// Its short name: `SPE_E3`.
    #[serde(rename = "skuPartNumber")]
    pub part_number: String,
    /// `Enabled`, `Warning`, `Suspended`, `Deleted` or `LockedOut`.
    pub capability_status: String,
    /// `User`, or `Company` for what is not assigned to anybody.
    pub applies_to: Option<String>,
    /// How many are assigned: at times more than are bought.
    #[serde(default)]
    pub consumed_units: u64,
    /// How many are bought.
    #[serde(default)]
    pub prepaid_units: Units,
}

/// Licences that are bought, by what became of the purchase.
///
/// <https://learn.microsoft.com/en-us/graph/api/resources/licenseunitsdetail>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Units {
    /// They can be used.
    pub enabled: u64,
    /// The purchase has ended, and they still work.
    pub warning: u64,
    /// They do not work until they are paid for.
    pub suspended: u64,
    /// They are locked.
    pub locked_out: u64,
}

impl Graph {
    /// What the tenant has bought.
    pub async fn subscribed_skus(&self, tenant: Uuid) -> Result<Vec<SubscribedSku>, MicrosoftError> {
        all(&self.link, &Caller::App { tenant }, self.call("/subscribedSkus")).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_nothing() {
        let id = Uuid::from_u128(7);
        let sku: SubscribedSku = serde_json::from_str(&format!(
            r#"{{"id":"x","skuId":"{id}","skuPartNumber":"SPE_E3","capabilityStatus":"Enabled","appliesTo":"User",
                "consumedUnits":14,"prepaidUnits":{{"enabled":25,"suspended":0,"warning":1}}}}"#
        ))
        .expect("a product");
        let units = Units { enabled: 25, warning: 1, ..Units::default() };
        assert_eq!((sku.consumed_units, sku.prepaid_units), (14, units));
    }
}
