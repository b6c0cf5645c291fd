//! A group of a tenant, as its directory has it.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

/// What a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Kind {
    /// Shares a mailbox, files and often a team.
    #[sea_orm(string_value = "MICROSOFT_365")]
    Microsoft365,
    /// Rights are given to it.
    #[sea_orm(string_value = "SECURITY")]
    Security,
    /// Rights are given to it, and it takes mail.
    #[sea_orm(string_value = "MAIL_ENABLED_SECURITY")]
    MailEnabledSecurity,
    /// Passes mail on.
    #[sea_orm(string_value = "DISTRIBUTION")]
    Distribution,
}

impl Kind {
    /// The kind of a group with these properties.
    ///
    /// <https://learn.microsoft.com/en-us/graph/api/resources/groups-overview>
    pub fn of(is_unified: bool, is_mail_enabled: bool, is_security_enabled: bool) -> Self {
        match (is_unified, is_mail_enabled, is_security_enabled) {
            (true, _, _) => Self::Microsoft365,
            (false, true, true) => Self::MailEnabledSecurity,
            (false, true, false) => Self::Distribution,
            (false, false, _) => Self::Security,
        }
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "office_group")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// Microsoft's id.
    pub entra_group_id: Uuid,
    /// The name that people see.
    pub display_name: String,
    /// What it is for.
    pub kind: Kind,
    /// Whether it has a mailbox or takes mail.
    pub is_mail_enabled: bool,
    /// Whether rights can be given to it.
    pub is_security_enabled: bool,
    /// The rule by which its members are found, if it has one.
    pub membership_rule: Option<String>,
    /// When it was made.
    pub entra_created_at: Option<DateTimeUtc>,
    /// How many direct members it has, of every kind.
    pub member_count: i64,
    /// The full round that showed it last.
    pub round: i64,
    /// When it was first seen.
    pub first_seen_at: DateTimeUtc,
    /// When it last changed, as far as was seen.
    pub changed_at: DateTimeUtc,
    /// When it was found to be gone.
    pub deleted_at: Option<DateTimeUtc>,
}

/// The id of a group, by Microsoft's.
pub fn id_of(tenant_id: Uuid, entra_group_id: Uuid) -> Uuid {
    Uuid::new_v5(&tenant_id, format!("group:{entra_group_id}").as_bytes())
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
