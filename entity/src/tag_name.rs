//! A tag name of an organization about which something is decided: whether it is kept in sync with Azure, and what
//! happens in a conflict.

use sea_orm::entity::prelude::*;

use crate::tags::merge::ConflictPolicy;

/// Whether tags of a name are kept in sync with Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Sync {
    /// They are read from Azure and written there.
    #[sea_orm(string_value = "ON")]
    On,
    /// They live here only.
    #[sea_orm(string_value = "OFF")]
    Off,
}

/// What is decided about one name. A name without a row is in sync, and its conflicts go by the organization's policy.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tag_name")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The name, as it was written.
    pub name: String,
    /// The name, folded: there is one row for all its spellings.
    pub folded: String,
    /// Whether it is kept in sync.
    pub sync: Sync,
    /// What happens in a conflict; none: what the organization says.
    pub conflict_policy: Option<ConflictPolicy>,
    /// When this row last changed.
    pub updated_at: DateTimeUtc,
}

/// A tag name's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    /// Names are the whole organization's.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows
    }
}
