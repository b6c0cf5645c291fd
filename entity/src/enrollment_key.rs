//! An enrollment key: an Azure EA API access key that an administrator registered.

use sea_orm::entity::prelude::*;

use crate::Failure;

/// How an enrollment key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Microsoft takes it.
    #[sea_orm(string_value = "CONNECTED")]
    Connected,
    /// Microsoft takes it, but not for long.
    #[sea_orm(string_value = "EXPIRES_SOON")]
    ExpiresSoon,
    /// A part of it is missing.
    #[sea_orm(string_value = "INCOMPLETE")]
    Incomplete,
    /// Past its expiry.
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
    /// Microsoft refuses it although it has not expired.
    #[sea_orm(string_value = "REVOKED")]
    Revoked,
    /// Whoever made it may not read what it is for.
    #[sea_orm(string_value = "INSUFFICIENT_ROLE")]
    InsufficientRole,
}

/// One enrollment key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "enrollment_key")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The EA enrollment's number.
    pub enrollment_number: String,
    /// The key, sealed.
    pub sealed_key: Vec<u8>,
    /// Its last four characters, to tell it by.
    pub last_four: String,
    /// How it stands.
    pub state: State,
    /// Why the last check could not say.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub failure: Option<Failure>,
    /// When it expires, as it says itself.
    pub expires_at: Option<DateTimeUtc>,
    /// When it was last checked with Microsoft.
    pub checked_at: Option<DateTimeUtc>,
    /// The member who registered it.
    pub created_by: Uuid,
    /// When it was registered.
    pub created_at: DateTimeUtc,
    /// When this row last changed.
    pub updated_at: DateTimeUtc,
}

/// An enrollment key's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    // An enrollment is no tenant's: who is limited to some tenants reaches none.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows.filter(Column::Id.is_null())
    }
}
