//! A row of a report: what it says of one user, one mailbox or one site.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

use super::Figures;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "report_row")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The feed.
    pub feed_id: Uuid,
    /// The load that stored it: rows are current when it is that of their feed.
    pub load_id: Uuid,
    /// The principal name, or the address of a site. What a tenant conceals stands for somebody without telling whom.
    pub name: String,
    /// The same as it is compared.
    pub folded_name: String,
    /// The name that people see.
    pub display_name: Option<String>,
    /// Whether what it is about was deleted.
    pub is_deleted: bool,
    /// The day of the last activity.
    pub active_on: Option<Date>,
    /// The day of the last activity in Exchange.
    pub exchange_on: Option<Date>,
    /// The same in `OneDrive`.
    pub onedrive_on: Option<Date>,
    /// The same in `SharePoint`.
    pub sharepoint_on: Option<Date>,
    /// The same in Teams.
    pub teams_on: Option<Date>,
    /// The same in Yammer, which is Viva Engage now.
    pub yammer_on: Option<Date>,
    /// The same in Skype for Business.
    pub skype_on: Option<Date>,
    /// Storage that is used, in bytes.
    pub used_bytes: Option<i64>,
    /// Storage that may be used, in bytes.
    pub quota_bytes: Option<i64>,
    /// What else it says.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub details: Option<Figures>,
}

/// Its relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::whole_tenants(Column::TenantId, holder))
    }
}
