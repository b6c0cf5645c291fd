//! A resource type, and whether Azure takes tags at its resources. Azure says the same to everybody, so these rows
//! belong to nobody.

use sea_orm::entity::prelude::*;

/// One resource type.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "taggable_type")]
pub struct Model {
    /// The type, in lower case.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource_type: String,
    /// Whether its resources take tags.
    pub taggable: bool,
    /// When Azure last said so.
    pub read_at: DateTimeUtc,
}

impl Entity {
    /// What is known of these types.
    pub fn of(types: impl IntoIterator<Item = String>) -> Select<Self> {
        Self::find().filter(Column::ResourceType.is_in(types))
    }

    /// What Azure said since `since`.
    pub fn read_since(since: DateTimeUtc) -> Select<Self> {
        Self::find().filter(Column::ReadAt.gte(since))
    }
}

/// It belongs to nobody.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
