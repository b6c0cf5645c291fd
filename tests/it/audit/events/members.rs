//! The mutations that are about members and invitations.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let invitation = ("invitation", "/invitation/id");
    let member = ("member", "/member/id");
    vec![
        Case {
            mutation: "inviteMember",
            query: "mutation($tenant: ID!) { inviteMember(input: { displayName: \"Ina\", role: VIEWER,
                reach: { extent: LIMITED, tenantIds: [$tenant] } }) { invitation { id } userErrors { code } } }",
            action: "MEMBER_INVITED",
            object: "/invitation/id",
            keeps: invitation,
            works: false,
        },
        Case {
            mutation: "revokeInvitation",
            query: "mutation($invitation: ID!) { revokeInvitation(input: { invitationId: $invitation }) {
                invitation { id } userErrors { code } } }",
            action: "INVITATION_REVOKED",
            object: "/invitation/id",
            keeps: invitation,
            works: false,
        },
        Case {
            mutation: "changeMember",
            query: "mutation($member: ID!) { changeMember(input: { memberId: $member, role: EDITOR }) {
                member { id } userErrors { code } } }",
            action: "MEMBER_CHANGED",
            object: "/member/id",
            keeps: member,
            works: false,
        },
        Case {
            mutation: "signOutEverywhere",
            query: "mutation($member: ID!) { signOutEverywhere(input: { memberId: $member }) {
                member { id } userErrors { code } } }",
            action: "SIGNED_OUT_EVERYWHERE",
            object: "/member/id",
            keeps: member,
            works: false,
        },
        Case {
            mutation: "removeMember",
            query: "mutation($member: ID!) { removeMember(input: { memberId: $member }) {
                member { id } userErrors { code } } }",
            action: "MEMBER_REMOVED",
            object: "/member/id",
            keeps: member,
            works: false,
        },
    ]
}
