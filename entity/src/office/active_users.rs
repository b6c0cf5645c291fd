//! How many users were active on a day, service by service. Kept for good: Microsoft forgets it after 180 days.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

/// One day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "active_users")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The day.
    pub day: Date,
    /// The report refresh date of the report that said so.
    pub refreshed_on: Date,
    /// Users who were active in any service.
    pub office_365: Option<i64>,
    /// In Exchange.
    pub exchange: Option<i64>,
    /// In `OneDrive`.
    pub onedrive: Option<i64>,
    /// In `SharePoint`.
    pub sharepoint: Option<i64>,
    /// In Skype for Business.
    pub skype: Option<i64>,
    /// In Yammer, which is Viva Engage now.
    pub yammer: Option<i64>,
    /// In Teams.
    pub teams: Option<i64>,
}

/// The id of a day.
pub fn id_of(tenant_id: Uuid, day: Date) -> Uuid {
    Uuid::new_v5(&tenant_id, format!("active-users:{day}").as_bytes())
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
