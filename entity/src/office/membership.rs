//! A direct member of a group.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{DbBackend, Select};

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

/// Memberships that make up the members of a group and of the groups in it: one for each member, however many ways lead to
/// it, and in circles too.
pub fn transitive(backend: DbBackend, group_id: Uuid) -> Expr {
    let place = if backend == DbBackend::Postgres { "$1" } else { "?" };
    let condition = format!(
        "group_membership.id in ( \
           with recursive nested (id) as ( \
             select id from office_group where id = {place} \
             union \
             select inside.id from nested \
               join group_membership way on way.group_id = nested.id and way.kind = 'GROUP' \
               join office_group inside on inside.tenant_id = way.tenant_id \
                 and inside.entra_group_id = way.member_id and inside.deleted_at is null), \
           ways as ( \
             select way.id, row_number() over (partition by way.member_id order by way.id) as number \
             from group_membership way join nested on nested.id = way.group_id) \
           select id from ways where number = 1)"
    );
    Expr::cust_with_values(condition, [group_id])
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
