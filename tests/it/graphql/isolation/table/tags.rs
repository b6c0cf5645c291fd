//! Cases of change sets, conflicts and scheduled scans.

use api::permission::Permission;
use serde_json::json;

use super::{Case, not_found, query};

pub fn cases() -> Vec<Case> {
    use Permission as P;
    let none = || json!({ "totalCount": 0, "nodes": [] });
    let written = |field, query| not_found(field, P::WriteTags, query, "changeSet");
    vec![
        query(
            "Query.changeSet",
            P::ReadInventory,
            "query($changeSet: ID!) { changeSet(id: $changeSet) { id } }",
            json!(null),
        ),
        query("Query.changeSets", P::ReadInventory, "{ changeSets { totalCount nodes { id } } }", none()),
        query(
            "Query.tagNameSettings",
            P::ReadInventory,
            "{ tagNameSettings { totalCount nodes { name } } }",
            none(),
        ),
        query(
            "Mutation.changeTagName",
            P::ChangeOrganization,
            "mutation { changeTagName(input: { name: \"one\", sync: OFF }) { tagNameSetting { name } userErrors { code } } }",
            json!({ "tagNameSetting": { "name": "one" }, "userErrors": [] }),
        ),
        query("Query.tagConflicts", P::ReadInventory, "{ tagConflicts { totalCount nodes { id } } }", none()),
        not_found(
            "Mutation.scheduleScan",
            P::ScanInventory,
            "mutation($tenant: ID!) { scheduleScan(input: { tenantId: $tenant, everyMinutes: 60 }) {
               tenant { id } userErrors { code } } }",
            "tenant",
        ),
        not_found(
            "Mutation.unscheduleScan",
            P::ScanInventory,
            "mutation($tenant: ID!) { unscheduleScan(input: { tenantId: $tenant }) {
               tenant { id } userErrors { code } } }",
            "tenant",
        ),
        written(
            "Mutation.assignTags",
            "mutation($resource: ID!) { assignTags(input: { selection: { ids: [$resource] },
               tags: [{ name: \"a\", value: \"b\" }] }) { changeSet { id } userErrors { code } } }",
        ),
        written(
            "Mutation.removeTags",
            "mutation($resource: ID!) { removeTags(input: { selection: { ids: [$resource] },
               tags: [{ name: \"a\" }] }) { changeSet { id } userErrors { code } } }",
        ),
        written(
            "Mutation.renameTag",
            "mutation($resource: ID!) { renameTag(input: { selection: { ids: [$resource] },
               renaming: { from: \"a\", to: \"b\" } }) { changeSet { id } userErrors { code } } }",
        ),
        written(
            "Mutation.planChangeSet",
            "mutation($resource: ID!) { planChangeSet(input: { selection: { ids: [$resource] },
               remove: [{ name: \"a\" }] }) { changeSet { id } userErrors { code } } }",
        ),
        written(
            "Mutation.applyChangeSet",
            "mutation($changeSet: ID!) { applyChangeSet(input: { changeSetId: $changeSet }) {
               changeSet { id } userErrors { code } } }",
        ),
        written(
            "Mutation.cancelChangeSet",
            "mutation($changeSet: ID!) { cancelChangeSet(input: { changeSetId: $changeSet }) {
               changeSet { id } userErrors { code } } }",
        ),
        written(
            "Mutation.revertChangeSet",
            "mutation($changeSet: ID!) { revertChangeSet(input: { changeSetId: $changeSet }) {
               changeSet { id } userErrors { code } } }",
        ),
        written(
            "Mutation.resolveConflicts",
            "mutation($tagWrite: ID!) { resolveConflicts(input: { conflictIds: [$tagWrite], decision: TAKE_AZURE }) {
               changeSet { id } userErrors { code } } }",
        ),
    ]
}
