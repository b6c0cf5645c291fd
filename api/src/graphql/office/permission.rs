//! The permissions that Office 365 data needs, and what is said where one is not granted.

use async_graphql::SimpleObject;
use entity::office::connection;
use microsoft::Permission;

/// For usage reports.
pub const REPORTS: &str = Permission::ReportsReadAll.as_str();
/// For purchased licences.
pub const ORGANIZATION: &str = Permission::OrganizationReadAll.as_str();
/// For sign-ins.
pub const SIGN_INS: &str = Permission::AuditLogReadAll.as_str();

/// Every permission that something is read with.
const NEEDED: [Permission; 6] = [
    Permission::ReportsReadAll,
    Permission::UserReadAll,
    Permission::GroupReadAll,
    Permission::OrganizationReadAll,
    Permission::AuditLogReadAll,
    Permission::ReportSettingsReadAll,
];

/// An application permission of Microsoft Graph.
#[derive(SimpleObject)]
#[graphql(name = "OfficePermission")]
pub struct OfficePermission {
    /// Its name, as Microsoft spells it.
    name: &'static str,
    /// Whether an administrator has granted it; null: not looked at yet.
    granted: Option<bool>,
    /// What is read with it.
    needed_for: &'static str,
}

/// Something is not known because the permission that it needs is not granted.
#[derive(SimpleObject)]
#[graphql(name = "NotGranted")]
pub struct NotGranted {
    /// The permission's name: when an administrator grants it to Tenantry, what needs it appears with the next load.
    pub permission: &'static str,
}

/// Every permission, and whether a connection has it.
pub fn list(connection: &connection::Model) -> Vec<OfficePermission> {
    let granted = |name: &str| connection.permissions.as_ref().map(|held| held.has(name));
    NEEDED
        .into_iter()
        .map(|permission| OfficePermission {
            name: permission.as_str(),
            granted: granted(permission.as_str()),
            needed_for: permission.needed_for(),
        })
        .collect()
}
