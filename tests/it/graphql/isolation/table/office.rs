//! Cases of Office 365.

use api::permission::Permission;
use serde_json::{Value, json};

use super::{Case, query};

pub fn cases() -> Vec<Case> {
    let of_office = |field, text, nothing: Value| query(field, Permission::ReadReports, text, nothing);
    let none = || json!({ "totalCount": 0, "nodes": [] });
    vec![
        of_office(
            "Query.users",
            "query($tenant: ID!) { users(filter: { tenants: [$tenant] }) { totalCount nodes { id } } }",
            none(),
        ),
        of_office(
            "Query.groups",
            "query($tenant: ID!) { groups(filter: { tenants: [$tenant] }) { totalCount nodes { id } } }",
            none(),
        ),
        of_office(
            "Query.activeUsers",
            "query($tenant: ID!) { activeUsers(tenantId: $tenant, period: D7) { days { day } } }",
            json!(null),
        ),
        of_office(
            "Query.inactiveUsers",
            "query($tenant: ID!) { inactiveUsers(tenantId: $tenant, days: 30) { __typename } }",
            json!(null),
        ),
        of_office(
            "Query.licences",
            "query($tenant: ID!) { licences(tenantId: $tenant) { products { totalCount } } }",
            json!(null),
        ),
        of_office(
            "Query.storage",
            "query($tenant: ID!) { storage(tenantId: $tenant, kind: MAILBOX) { usedBytes top { name } } }",
            json!(null),
        ),
        of_office(
            "Query.teamsActivity",
            "query($tenant: ID!) { teamsActivity(tenantId: $tenant, period: D7) { users } }",
            json!(null),
        ),
        of_office(
            "Query.appActivations",
            "query($tenant: ID!) { appActivations(tenantId: $tenant, period: D7) { users } }",
            json!(null),
        ),
        of_office(
            "Query.departments",
            "query($tenant: ID!) { departments(tenantId: $tenant) { departments { totalCount } } }",
            json!(null),
        ),
        of_office(
            "Query.reports",
            "query($tenant: ID!) { reports(tenantId: $tenant) { totalCount nodes { id } } }",
            none(),
        ),
    ]
}
