//! An organization: the customer account inside Tenantry, and the isolation boundary.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, Select};

use crate::tags::merge::ConflictPolicy;

/// One organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organization")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// Whether Reader stays beside Tag Contributor where tags are written.
    pub keep_reader: bool,
    /// What happens in conflicts of tags about whose names nothing else is decided.
    pub conflict_policy: ConflictPolicy,
}

/// An organization stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Organizations that a person is a member of, by name.
    pub fn by_ids(ids: &[Uuid]) -> Select<Self> {
        Self::find().filter(Column::Id.is_in(ids.iter().copied())).order_by_asc(Column::Name)
    }

    /// Every organization, by name: for whoever runs this installation.
    pub fn all_by_name() -> Select<Self> {
        Self::find().order_by_asc(Column::Name).order_by_asc(Column::Id)
    }

    /// The organization of this name.
    pub fn by_name(name: &str) -> Select<Self> {
        Self::find().filter(Column::Name.eq(name))
    }
}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::Id;

    // Everybody knows their own.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows
    }
}
