//! One case for each root field of the schema: what it takes, and what a stranger sees.

mod office;
mod tags;

use api::permission::Permission;
use serde_json::{Value, json};

/// One root field.
pub struct Case {
    /// The root type and the field.
    pub field: &'static str,
    /// Asks for what is somebody else's. `$tenant`, `$operation`, `$consent` and so on are ids of that kind.
    pub query: &'static str,
    /// What a stranger is answered.
    pub nothing: Value,
    /// What it takes.
    pub needs: Permission,
}

impl Case {
    /// The field alone.
    pub fn name(&self) -> &'static str {
        self.field.split_once('.').map_or(self.field, |(_, name)| name)
    }

    /// Whether it asks for something that a row has to be found for; what makes something new does not.
    pub fn names_a_row(&self) -> bool {
        const MAKES_OR_NAMES_NONE: [&str; 7] = [
            "startConsent",
            "signOutEverywhere",
            "diagnoseAccessToken",
            "registerEnrollmentKey",
            "changeOrganization",
            "verifyReceipt",
            "changeTagName",
        ];
        !MAKES_OR_NAMES_NONE.contains(&self.name())
    }
}

fn query(field: &'static str, needs: Permission, query: &'static str, nothing: Value) -> Case {
    Case { field, query, nothing, needs }
}

/// A mutation that answers `NOT_FOUND`, and null for what it would have made or changed.
fn not_found(field: &'static str, needs: Permission, query: &'static str, noun: &str) -> Case {
    let nothing = json!({ noun: null, "userErrors": [{ "code": "NOT_FOUND" }] });
    Case { field, query, nothing, needs }
}

/// Every root field.
pub fn table() -> Vec<Case> {
    let mut cases = queries();
    cases.extend(plans());
    cases.extend(counts());
    cases.extend(mutations());
    cases.extend(mutations_of_consents());
    cases.extend(mutations_of_access());
    cases.extend(tags::cases());
    cases.extend(office::cases());
    cases.extend(live_queries());
    cases
}

fn queries() -> Vec<Case> {
    use Permission as P;
    let none = || json!({ "totalCount": 0, "nodes": [] });
    vec![
        query("Query.viewer", P::KnowOneself, "{ viewer { organization { id } } }", json!("their own")),
        // What these two take depends on the id; `every_kind_of_node` looks at each kind.
        query(
            "Query.node",
            P::ReadInventory,
            "query($tenant: ID!) { node(id: $tenant) { id } }",
            json!(null),
        ),
        query(
            "Query.nodes",
            P::ReadInventory,
            "query($tenant: ID!) { nodes(ids: [$tenant]) { id } }",
            json!([null]),
        ),
        query(
            "Query.tenant",
            P::ReadInventory,
            "query($tenant: ID!) { tenant(id: $tenant) { id } }",
            json!(null),
        ),
        query("Query.tenants", P::ReadInventory, "{ tenants { totalCount nodes { id } } }", none()),
        query(
            "Query.subscriptions",
            P::ReadInventory,
            "query($tenant: ID!) { subscriptions(tenant: $tenant) { totalCount nodes { id } } }",
            none(),
        ),
        query(
            "Query.resources",
            P::ReadInventory,
            "query($tenant: ID!) { resources(filter: { tenants: [$tenant], presence: ANY }) {
               totalCount nodes { id } } }",
            none(),
        ),
        query(
            "Query.operation",
            P::ReadOperations,
            "query($operation: ID!) { operation(id: $operation) { id } }",
            json!(null),
        ),
        query(
            "Query.operations",
            P::ReadOperations,
            "query($tenant: ID!) { operations(filter: { tenants: [$tenant] }) { totalCount nodes { id } } }",
            none(),
        ),
        query(
            "Query.consent",
            P::ReadConsents,
            "query($consent: ID!) { consent(id: $consent) { id } }",
            json!(null),
        ),
        query("Query.consents", P::ReadConsents, "{ consents { totalCount nodes { id } } }", none()),
        query(
            "Query.accessTokens",
            P::ReadAccessTokens,
            "{ accessTokens { totalCount nodes { id } } }",
            none(),
        ),
        // A stranger is a member of their own organization.
        query("Query.members", P::ReadMembers, "{ members { totalCount } }", json!({ "totalCount": 1 })),
        query("Query.invitations", P::ReadInvitations, "{ invitations { totalCount nodes { id } } }", none()),
        query(
            "Query.diagnoseAccessToken",
            P::DiagnoseTokens,
            "{ diagnoseAccessToken(token: \"tnt_nonsense\") { kind status } }",
            json!({ "kind": "TENANTRY_ACCESS_TOKEN", "status": "INCOMPLETE" }),
        ),
        query(
            "Query.enrollmentKeys",
            P::ReadEnrollmentKeys,
            "{ enrollmentKeys { totalCount nodes { id } } }",
            none(),
        ),
        query("Query.auditEvents", P::ReadAudit, "{ auditEvents { totalCount nodes { id } } }", none()),
        query(
            "Query.verifyReceipt",
            P::ReadConsents,
            "{ verifyReceipt(receipt: \"nonsense\") { status } }",
            json!({ "status": "NOT_RECOGNIZED" }),
        ),
        query("Query.ownerLinks", P::ReadConsents, "{ ownerLinks { totalCount nodes { id } } }", none()),
    ]
}

/// What counts resources.
fn counts() -> Vec<Case> {
    use Permission as P;
    vec![
        query(
            "Query.resourceFacets",
            P::ReadInventory,
            "query($tenant: ID!) { resourceFacets(filter: { tenants: [$tenant] }) {
               resourceCount types { bucketCount buckets { value } } } }",
            json!({ "resourceCount": 0, "types": { "bucketCount": 0, "buckets": [] } }),
        ),
        query(
            "Query.tagCoverage",
            P::ReadInventory,
            "query($tenant: ID!) { tagCoverage(filter: { tenants: [$tenant] }, names: [\"env\"]) {
               total { resourceCount } groups { totalCount } } }",
            json!({ "total": { "resourceCount": 0 }, "groups": { "totalCount": 0 } }),
        ),
        query(
            "Query.tagNames",
            P::ReadInventory,
            "{ tagNames { totalCount nodes { name valueCount } } }",
            json!({ "totalCount": 0, "nodes": [] }),
        ),
    ]
}

/// What says what would be done.
fn plans() -> Vec<Case> {
    use Permission as P;
    vec![
        query(
            "Query.planDisconnect",
            P::ReadInventory,
            "query($tenant: ID!) { planDisconnect(tenantId: $tenant) { tenant { id } } }",
            json!(null),
        ),
        query(
            "Query.planOnboarding",
            P::ReadConsents,
            "query($tenant: ID!) { planOnboarding(tenantId: $tenant) { outcomes { count } } }",
            json!(null),
        ),
        query(
            "Query.planAccessChange",
            P::ReadInventory,
            "query($subscription: ID!) { planAccessChange(subscriptionIds: [$subscription], level: WRITE_TAGS) {
               outcomes { count } } }",
            json!(null),
        ),
    ]
}

fn mutations() -> Vec<Case> {
    use Permission as P;
    vec![
        // It names no row of anybody's.
        query(
            "Mutation.startConsent",
            P::StartConsents,
            "mutation { startConsent(input: { tenant: \"nonsense\" }) { consent { id } userErrors { code } } }",
            json!({ "consent": null, "userErrors": [{ "code": "INVALID_TENANT" }] }),
        ),
        not_found(
            "Mutation.scanTenant",
            P::ScanInventory,
            "mutation($tenant: ID!) { scanTenant(input: { tenantId: $tenant }) {
               operation { id } userErrors { code } } }",
            "operation",
        ),
        not_found(
            "Mutation.loadOffice365",
            P::ScanInventory,
            "mutation($tenant: ID!) { loadOffice365(input: { tenantId: $tenant }) {
               operation { id } userErrors { code } } }",
            "operation",
        ),
        not_found(
            "Mutation.changeAccess",
            P::ChangeAccess,
            "mutation($subscription: ID!) { changeAccess(input: { subscriptionIds: [$subscription],
               level: RESOURCES_ONLY }) { operation { id } userErrors { code } } }",
            "operation",
        ),
        not_found(
            "Mutation.cancelOperation",
            P::ChangeOperations,
            "mutation($operation: ID!) { cancelOperation(input: { operationId: $operation }) {
               operation { id } userErrors { code } } }",
            "operation",
        ),
        not_found(
            "Mutation.retryOperation",
            P::ChangeOperations,
            "mutation($operation: ID!) { retryOperation(input: { operationId: $operation }) {
               operation { id } userErrors { code } } }",
            "operation",
        ),
    ]
}

fn mutations_of_consents() -> Vec<Case> {
    use Permission as P;
    vec![
        not_found(
            "Mutation.addSubscriptions",
            P::StartConsents,
            "mutation($tenant: ID!, $subscription: ID!) { addSubscriptions(input: { tenantId: $tenant,
               subscriptionIds: [$subscription] }) { consent { id } userErrors { code } } }",
            "consent",
        ),
        not_found(
            "Mutation.closeWindow",
            P::StartConsents,
            "mutation($consent: ID!) { closeWindow(input: { consentId: $consent }) {
               consent { id } userErrors { code } } }",
            "consent",
        ),
        not_found(
            "Mutation.createOwnerLink",
            P::StartConsents,
            "mutation($subscription: ID!) { createOwnerLink(input: { subscriptionIds: [$subscription] }) {
               ownerLink { id } userErrors { code } } }",
            "ownerLink",
        ),
        not_found(
            "Mutation.revokeOwnerLink",
            P::StartConsents,
            "mutation($ownerLink: ID!) { revokeOwnerLink(input: { ownerLinkId: $ownerLink }) {
               ownerLink { id } userErrors { code } } }",
            "ownerLink",
        ),
    ]
}

fn mutations_of_access() -> Vec<Case> {
    use Permission as P;
    vec![
        not_found(
            "Mutation.createAccessToken",
            P::ChangeAccessTokens,
            "mutation($tenant: ID!) { createAccessToken(input: { name: \"partner\", scopes: [INVENTORY_READ],
               expiresAt: \"2026-12-24T00:00:00Z\", tenants: [$tenant] }) { accessToken { id } userErrors { code } } }",
            "accessToken",
        ),
        not_found(
            "Mutation.rotateAccessToken",
            P::ChangeAccessTokens,
            "mutation($accessToken: ID!) { rotateAccessToken(input: { accessTokenId: $accessToken }) {
               accessToken { id } userErrors { code } } }",
            "accessToken",
        ),
        not_found(
            "Mutation.revokeAccessToken",
            P::ChangeAccessTokens,
            "mutation($accessToken: ID!) { revokeAccessToken(input: { accessTokenId: $accessToken }) {
               accessToken { id } userErrors { code } } }",
            "accessToken",
        ),
        not_found(
            "Mutation.inviteMember",
            P::ChangeMembers,
            "mutation($tenant: ID!) { inviteMember(input: { displayName: \"Ina\", role: VIEWER,
               reach: { extent: LIMITED, tenantIds: [$tenant] } }) { invitation { id } userErrors { code } } }",
            "invitation",
        ),
        not_found(
            "Mutation.revokeInvitation",
            P::ChangeMembers,
            "mutation($invitation: ID!) { revokeInvitation(input: { invitationId: $invitation }) {
               invitation { id } userErrors { code } } }",
            "invitation",
        ),
        not_found(
            "Mutation.changeMember",
            P::ChangeMembers,
            "mutation($member: ID!) { changeMember(input: { memberId: $member, role: VIEWER }) {
               member { id } userErrors { code } } }",
            "member",
        ),
        not_found(
            "Mutation.removeMember",
            P::ChangeMembers,
            "mutation($member: ID!) { removeMember(input: { memberId: $member }) {
               member { id } userErrors { code } } }",
            "member",
        ),
        // Whoever names somebody else needs more; that is tested with the members.
        query(
            "Mutation.signOutEverywhere",
            P::ChangeOneself,
            "mutation { signOutEverywhere(input: {}) { userErrors { code } } }",
            json!({ "userErrors": [] }),
        ),
        query(
            "Mutation.changeOrganization",
            P::ChangeOrganization,
            "mutation { changeOrganization(input: {}) { userErrors { code } } }",
            json!({ "userErrors": [] }),
        ),
        query(
            "Mutation.registerEnrollmentKey",
            P::ChangeEnrollmentKeys,
            "mutation { registerEnrollmentKey(input: { enrollmentNumber: \"no number\", key: \"nonsense\" }) {
               enrollmentKey { id } userErrors { code } } }",
            json!({ "enrollmentKey": null, "userErrors": [{ "code": "INVALID_ENROLLMENT_NUMBER" }] }),
        ),
        not_found(
            "Mutation.checkEnrollmentKey",
            P::ChangeEnrollmentKeys,
            "mutation($enrollmentKey: ID!) { checkEnrollmentKey(input: { enrollmentKeyId: $enrollmentKey }) {
               enrollmentKey { id } userErrors { code } } }",
            "enrollmentKey",
        ),
        not_found(
            "Mutation.removeEnrollmentKey",
            P::ChangeEnrollmentKeys,
            "mutation($enrollmentKey: ID!) { removeEnrollmentKey(input: { enrollmentKeyId: $enrollmentKey }) {
               enrollmentKey { id } userErrors { code } } }",
            "enrollmentKey",
        ),
        not_found(
            "Mutation.checkTenant",
            P::ScanInventory,
            "mutation($tenant: ID!) { checkTenant(input: { tenantId: $tenant }) {
               tenant { id } userErrors { code } } }",
            "tenant",
        ),
        not_found(
            "Mutation.disconnectTenant",
            P::DisconnectTenants,
            "mutation($tenant: ID!) { disconnectTenant(input: { tenantId: $tenant, data: KEEP }) {
               tenant { id } userErrors { code } } }",
            "tenant",
        ),
    ]
}

fn live_queries() -> Vec<Case> {
    vec![
        query(
            "Subscription.operation",
            Permission::ReadOperations,
            "subscription($operation: ID!) { operation(id: $operation) { id } }",
            json!(null),
        ),
        query(
            "Subscription.consent",
            Permission::ReadConsents,
            "subscription($consent: ID!) { consent(id: $consent) { id } }",
            json!(null),
        ),
    ]
}
