//! How many role assignments a subscription has room for.
//!
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/troubleshoot-limits>.

use serde::Deserialize;
use uuid::Uuid;

use crate::{Arm, Caller, MicrosoftError};

/// How many role assignments a subscription has, and how many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RoleAssignmentUsage {
    /// How many there may be.
    #[serde(rename = "roleAssignmentsLimit")]
    pub limit: u32,
    /// How many there are.
    #[serde(rename = "roleAssignmentsCurrentCount")]
    pub count: u32,
}

impl Arm {
    /// How many role assignments there are at the subscription and below it, and how many there may be.
    pub async fn role_assignment_usage(
        &self,
        caller: &Caller,
        subscription: Uuid,
    ) -> Result<RoleAssignmentUsage, MicrosoftError> {
        let path =
            "/providers/Microsoft.Authorization/roleAssignmentsUsageMetrics?api-version=2019-08-01-preview";
        self.link.read(caller, &self.get_of(subscription, path)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read() {
        let usage: RoleAssignmentUsage = serde_json::from_str(
            r#"{"subscriptionId":"s","roleAssignmentsLimit":4000,"roleAssignmentsCurrentCount":26,"roleAssignmentsRemainingCount":3974}"#,
        )
        .expect("usage");
        assert_eq!((usage.limit, usage.count), (4_000, 26));
    }
}
