//! A user of a tenant, as its directory has it.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

/// One user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "office_user")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// Microsoft's id.
    pub entra_user_id: Uuid,
    /// The name that people see.
    pub display_name: String,
    /// The name to sign in with.
    pub principal_name: String,
    /// The same as it is compared with the names of reports.
    pub folded_name: String,
    /// The e-mail address.
    pub mail: Option<String>,
    /// Whether the user may sign in.
    pub is_enabled: bool,
    /// Whether the user belongs to another tenant.
    pub is_guest: bool,
    /// The department.
    pub department: Option<String>,
    /// The country, as two letters, whose law decides which services may be used.
    pub usage_location: Option<String>,
    /// When the account was made.
    pub entra_created_at: Option<DateTimeUtc>,
    /// The last sign-in that is known, whether it succeeded or not.
    pub last_sign_in_at: Option<DateTimeUtc>,
    /// How many licences are assigned.
    pub licence_count: i64,
    /// The full round that showed it last.
    pub round: i64,
    /// When it was first seen.
    pub first_seen_at: DateTimeUtc,
    /// When it last changed, as far as was seen.
    pub changed_at: DateTimeUtc,
    /// When it was found to be gone.
    pub deleted_at: Option<DateTimeUtc>,
}

/// The id of a user, by Microsoft's.
pub fn id_of(tenant_id: Uuid, entra_user_id: Uuid) -> Uuid {
    Uuid::new_v5(&tenant_id, format!("user:{entra_user_id}").as_bytes())
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
