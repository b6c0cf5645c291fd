//! Resources in the order of their names, for each tag with its value: an index that `PostgreSQL` lacks, kept by its
//! triggers. There is none on `SQLite`.

use sea_orm::entity::prelude::*;

/// That a resource, which is still there, has a tag with a value.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "resource_by_tag")]
pub struct Model {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// What the database's function `tag_key` makes of the organization and of the tag's
    /// [term](crate::tags::value_term). Hardly ever two tags have the same.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tag: i64,
    /// The resource's name in lower case, as it is listed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The resource.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource_id: Uuid,
}

/// An entry's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
