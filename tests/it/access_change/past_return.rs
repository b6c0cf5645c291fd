//! A change that is stopped when the old role is gone already: it is taken to its end, as nothing would be left.

use anyhow::Result;
use serde_json::json;
use simulator::Fault;

use super::{Tenant, first};

#[tokio::test]
async fn cancelled_when_the_old_role_is_gone_the_new_one_stays() -> Result<()> {
    let tenant = Tenant::connected(1).await?;
    let removal = "/subscriptions/*/providers/microsoft.authorization/roleassignments/*";
    // Azure does it, and the answer never arrives.
    tenant.app.simulator.faults().plan(Fault::on("DELETE", removal).truncate().times(100));
    tenant.consent_to(&tenant.ids, "WRITE_TAGS").await?;
    tenant.app.run_due().await?;
    let operation = tenant.last().await?;
    assert_eq!(operation["steps"]["nodes"][0]["state"], "REMOVING");
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1, "Reader is gone");
    tenant.app.simulator.faults().clear();

    let cancel =
        "mutation($id: ID!) { cancelOperation(input: { operationId: $id }) { userErrors { code } } }";
    tenant.app.ask(cancel, json!({ "id": operation["id"] })).await?;
    tenant.app.run_jobs().await?;

    let operation = tenant.last().await?;
    assert_eq!(operation["state"], "CANCELLED", "{operation}");
    let step = first(&operation);
    assert_eq!((&step[0], &step[2]), (&json!("CHANGED"), &json!("WRITE_TAGS")), "{operation}");
    assert_eq!(step[3], json!(["TAG_CONTRIBUTOR"]));
    assert_eq!(tenant.app.simulator.assignments_at(tenant.azure[0]), 1, "nothing is held any more");
    Ok(())
}
