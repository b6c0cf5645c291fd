//! Mutations of schedules and of tags, in a subscription whose tags live here only.

use anyhow::{Context as _, Result};
use sea_orm::ConnectionTrait;
use serde_json::json;
use support::app::TestApp;

use super::Case;

pub fn cases() -> Vec<Case> {
    let mut cases = cases_of_schedules();
    cases.extend(cases_of_change_sets());
    cases
}

fn cases_of_schedules() -> Vec<Case> {
    let scheduled = |mutation, query, action| Case {
        mutation,
        query,
        action,
        object: "/tenant/id",
        keeps: ("tenant", "/tenant/id"),
        works: false,
    };
    vec![
        scheduled(
            "scheduleScan",
            "mutation($tenant: ID!) { scheduleScan(input: { tenantId: $tenant, cron: \"30 2 * * *\" }) {
                tenant { id } userErrors { code } } }",
            "SCAN_SCHEDULED",
        ),
        scheduled(
            "unscheduleScan",
            "mutation($tenant: ID!) { unscheduleScan(input: { tenantId: $tenant }) {
                tenant { id } userErrors { code } } }",
            "SCAN_UNSCHEDULED",
        ),
    ]
}

fn cases_of_change_sets() -> Vec<Case> {
    let of = |mutation, query, action, name, works| Case {
        mutation,
        query,
        action,
        object: "/changeSet/id",
        keeps: (name, "/changeSet/id"),
        works,
    };
    vec![
        of(
            "assignTags",
            "mutation($subscription: ID!) { assignTags(input: { selection: { filter: { subscriptions: [$subscription] } },
                tags: [{ name: \"team\", value: \"blue\" }] }) { changeSet { id } userErrors { code } } }",
            "CHANGE_SET_APPLIED",
            "assigned",
            true,
        ),
        of(
            "renameTag",
            "mutation($subscription: ID!) { renameTag(input: { selection: { filter: { subscriptions: [$subscription] } },
                renaming: { from: \"team\", to: \"Crew\" } }) { changeSet { id } userErrors { code } } }",
            "CHANGE_SET_APPLIED",
            "renamed",
            true,
        ),
        of(
            "removeTags",
            "mutation($subscription: ID!) { removeTags(input: { selection: { filter: { subscriptions: [$subscription] } },
                tags: [{ name: \"crew\" }] }) { changeSet { id } userErrors { code } } }",
            "CHANGE_SET_APPLIED",
            "removed",
            true,
        ),
        of(
            "revertChangeSet",
            "mutation($removed: ID!) { revertChangeSet(input: { changeSetId: $removed }) {
                changeSet { id } userErrors { code } } }",
            "CHANGE_SET_APPLIED",
            "reverted",
            true,
        ),
        of(
            "planChangeSet",
            "mutation($subscription: ID!) { planChangeSet(input: { selection: { filter: { subscriptions: [$subscription] } },
                set: [{ name: \"floor\", value: \"2\" }] }) { changeSet { id } userErrors { code } } }",
            "CHANGE_SET_PLANNED",
            "changeSet",
            false,
        ),
        of(
            "applyChangeSet",
            "mutation($changeSet: ID!) { applyChangeSet(input: { changeSetId: $changeSet }) {
                changeSet { id } userErrors { code } } }",
            "CHANGE_SET_APPLIED",
            "changeSet",
            false,
        ),
        of(
            "cancelChangeSet",
            "mutation($changeSet: ID!) { cancelChangeSet(input: { changeSetId: $changeSet }) {
                changeSet { id } userErrors { code } } }",
            "CHANGE_SET_CANCELLED",
            "changeSet",
            true,
        ),
        Case {
            mutation: "changeTagName",
            query: "mutation { changeTagName(input: { name: \"floor\", sync: OFF }) {
                tagNameSetting { id } userErrors { code } } }",
            action: "TAG_NAME_CHANGED",
            object: "/tagNameSetting/id",
            keeps: ("tagName", "/tagNameSetting/id"),
            works: false,
        },
        Case {
            mutation: "resolveConflicts",
            query: "mutation($conflict: ID!) { resolveConflicts(input: { conflictIds: [$conflict], decision: TAKE_AZURE }) {
                conflicts { id changeSet { id } } userErrors { code } } }",
            action: "CONFLICTS_RESOLVED",
            object: "/conflicts/0/changeSet/id",
            keeps: ("conflict", "/conflicts/0/id"),
            works: false,
        },
    ]
}

/// Lets every write end as a conflict; answers the id of one.
pub async fn conflict(app: &TestApp) -> Result<String> {
    app.database.execute_unprepared("update tag_write set outcome = 'CONFLICT'").await?;
    let data = app.ask("{ tagConflicts(first: 1) { nodes { id } } }", json!({})).await?;
    Ok(data["tagConflicts"]["nodes"][0]["id"].as_str().context("no conflict")?.to_owned())
}
