//! A member: a person who signs in, with a role in an organization.

use sea_orm::entity::prelude::*;

/// What a member may do; each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Role {
    /// Reads.
    #[sea_orm(string_value = "VIEWER")]
    Viewer,
    /// Starts work.
    #[sea_orm(string_value = "EDITOR")]
    Editor,
    /// Decides who may do what.
    #[sea_orm(string_value = "ADMIN")]
    Admin,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// What others call this person.
    pub display_name: String,
    /// What this person may do.
    pub role: Role,
    /// When the member was created.
    pub created_at: DateTimeUtc,
}

/// A member's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;
}
