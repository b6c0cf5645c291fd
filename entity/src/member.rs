//! A member: a person who signs in, with a role in an organization.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryFilter, QueryOrder};

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

impl Role {
    /// The role's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "VIEWER",
            Self::Editor => "EDITOR",
            Self::Admin => "ADMIN",
        }
    }
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
    /// Who vouches for this person: the issuer of its ID tokens. None: a member made by the command line.
    pub issuer: Option<String>,
    /// The person's name at the issuer: stable, and never an e-mail address.
    pub subject: Option<String>,
    /// Whether this person reaches only what its [reach](crate::reach) says.
    pub limited: bool,
    /// When the member was removed; the row stays, since others name it.
    pub removed_at: Option<DateTimeUtc>,
    /// When the member signed out everywhere: what was issued to it before is refused.
    pub signed_out_at: Option<DateTimeUtc>,
}

impl Model {
    /// Whether a sign-in of this moment still counts.
    pub fn is_signed_in_since(&self, moment: DateTimeUtc) -> bool {
        self.signed_out_at.is_none_or(|signed_out_at| moment > signed_out_at)
    }
}

impl Entity {
    /// Who the person is that `issuer` calls `subject`, in every organization, the longest member first.
    pub fn by_identity(issuer: &str, subject: &str) -> Select<Self> {
        Self::find()
            .filter(Column::Issuer.eq(issuer))
            .filter(Column::Subject.eq(subject))
            .filter(Column::RemovedAt.is_null())
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
    }

    /// The member whom a session or a signed token names, unless it was removed.
    pub fn present(id: Uuid) -> Select<Self> {
        Self::find().filter(Column::Id.eq(id)).filter(Column::RemovedAt.is_null())
    }

    /// Members who can sign in, of every organization: a fresh installation has none.
    pub fn with_identity() -> Select<Self> {
        Self::find().filter(Column::Issuer.is_not_null()).filter(Column::RemovedAt.is_null())
    }
}

/// A member's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    // Who is limited may know the others.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows
    }
}
