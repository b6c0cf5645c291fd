//! The mutations that are about access tokens and enrollment keys.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let access_token = ("accessToken", "/accessToken/id");
    let enrollment_key = ("enrollmentKey", "/enrollmentKey/id");
    vec![
        Case {
            mutation: "createAccessToken",
            query:
                "mutation($expiresAt: DateTime!, $tenant: ID!) { createAccessToken(input: { name: \"partner\",
                scopes: [INVENTORY_READ], expiresAt: $expiresAt, tenants: [$tenant] }) {
                accessToken { id } userErrors { code } } }",
            action: "ACCESS_TOKEN_CREATED",
            object: "/accessToken/id",
            keeps: access_token,
            works: false,
        },
        Case {
            mutation: "rotateAccessToken",
            query: "mutation($accessToken: ID!) { rotateAccessToken(input: { accessTokenId: $accessToken }) {
                accessToken { id replaces } userErrors { code } } }",
            action: "ACCESS_TOKEN_ROTATED",
            object: "/accessToken/replaces",
            keeps: access_token,
            works: false,
        },
        Case {
            mutation: "revokeAccessToken",
            query: "mutation($accessToken: ID!) { revokeAccessToken(input: { accessTokenId: $accessToken }) {
                accessToken { id } userErrors { code } } }",
            action: "ACCESS_TOKEN_REVOKED",
            object: "/accessToken/id",
            keeps: access_token,
            works: false,
        },
        Case {
            mutation: "registerEnrollmentKey",
            query: "mutation($enrollmentNumber: String!, $key: String!) { registerEnrollmentKey(input: {
                enrollmentNumber: $enrollmentNumber, key: $key }) { enrollmentKey { id } userErrors { code } } }",
            action: "ENROLLMENT_KEY_REGISTERED",
            object: "/enrollmentKey/id",
            keeps: enrollment_key,
            works: true,
        },
        Case {
            mutation: "removeEnrollmentKey",
            query: "mutation($enrollmentKey: ID!) { removeEnrollmentKey(input: {
                enrollmentKeyId: $enrollmentKey }) { enrollmentKey { id } userErrors { code } } }",
            action: "ENROLLMENT_KEY_REMOVED",
            object: "/enrollmentKey/id",
            keeps: enrollment_key,
            works: false,
        },
    ]
}
