//! <https://learn.microsoft.com/en-us/graph/api/subscribedsku-list>: what was bought, and how much of it is used.

use serde_json::{Value, json};

use super::Asked;
use crate::office::sku::{SKUS, Sku};
use crate::reply::Reply;

const READERS: [&str; 3] = ["Organization.Read.All", "Directory.Read.All", "LicenseAssignment.Read.All"];

/// All at once: there are no pages.
pub(super) fn list(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    let office = asked.office();
    let is_bought = |_: &(&Sku, u64)| office.origin.has_office;
    let tenant = asked.state.world.tenant_id;
    let all = SKUS.iter().zip(office.consumed_units()).filter(is_bought);
    let rows: Vec<_> = all.map(|(sku, consumed)| row(&tenant.to_string(), sku, consumed)).collect();
    let context = asked.context("subscribedSkus");
    Ok(Reply::json(200, &json!({ "@odata.context": context, "value": rows })))
}

fn row(tenant: &str, sku: &Sku, consumed: u64) -> Value {
    let plans = sku.plans.iter().map(|plan| {
        json!({
            "servicePlanId": plan.id, "servicePlanName": plan.name,
            "provisioningStatus": "Success", "appliesTo": "User",
        })
    });
    // More may be assigned than is bought: of what is short here, a tenth.
    let is_short = sku.part_number == "VISIOCLIENT";
    let enabled =
        if is_short { consumed - consumed / 10 } else { (consumed + consumed / 8).next_multiple_of(5) };
    json!({
        "id": format!("{tenant}_{}", sku.id), "skuId": sku.id, "skuPartNumber": sku.part_number,
        "capabilityStatus": if is_short { "Warning" } else { "Enabled" },
        "appliesTo": "User", "consumedUnits": consumed,
        "prepaidUnits": { "enabled": enabled, "suspended": 0, "warning": 0, "lockedOut": 0 },
        "servicePlans": plans.collect::<Vec<_>>(),
    })
}
