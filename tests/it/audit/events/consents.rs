//! The mutations that are about consents.

use super::Case;

/// `closeWindow` comes first: what needs a consent uses a window that is held open.
pub(super) fn cases() -> Vec<Case> {
    let owner_link = ("ownerLink", "/ownerLink/id");
    vec![
        Case {
            mutation: "closeWindow",
            query: "mutation($held: ID!) { closeWindow(input: { consentId: $held }) {
                consent { id } userErrors { code } } }",
            action: "DELEGATED_TOKEN_ERASED",
            object: "/consent/id",
            keeps: ("held", "/consent/id"),
            works: true,
        },
        Case {
            mutation: "addSubscriptions",
            query: "mutation($tenant: ID!) { addSubscriptions(input: { tenantId: $tenant }) {
                consent { id } userErrors { code } } }",
            action: "CONSENT_STARTED",
            object: "/consent/id",
            keeps: ("added", "/consent/id"),
            works: false,
        },
        Case {
            mutation: "createOwnerLink",
            query: "mutation($subscription: ID!) { createOwnerLink(input: {
                subscriptionIds: [$subscription] }) { ownerLink { id } userErrors { code } } }",
            action: "OWNER_LINK_CREATED",
            object: "/ownerLink/id",
            keeps: owner_link,
            works: false,
        },
        Case {
            mutation: "revokeOwnerLink",
            query: "mutation($ownerLink: ID!) { revokeOwnerLink(input: { ownerLinkId: $ownerLink }) {
                ownerLink { id } userErrors { code } } }",
            action: "OWNER_LINK_REVOKED",
            object: "/ownerLink/id",
            keeps: owner_link,
            works: false,
        },
    ]
}
