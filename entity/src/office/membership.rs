//! A direct member of a group.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

/// What a member of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Kind {
    /// A user.
    #[sea_orm(string_value = "USER")]
    User,
    /// A group.
    #[sea_orm(string_value = "GROUP")]
    Group,
    /// A device.
    #[sea_orm(string_value = "DEVICE")]
    Device,
    /// A service principal.
    #[sea_orm(string_value = "SERVICE_PRINCIPAL")]
    ServicePrincipal,
    /// Something that Tenantry does not know.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// One member of one group.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "group_membership")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// The group.
    pub group_id: Uuid,
    /// Microsoft's id of the member.
    pub member_id: Uuid,
    /// What the member is.
    pub kind: Kind,
    /// The full round that showed it last.
    pub round: i64,
}

/// The id of a membership.
pub fn id_of(group_id: Uuid, member_id: Uuid) -> Uuid {
    Uuid::new_v5(&group_id, format!("member:{member_id}").as_bytes())
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
