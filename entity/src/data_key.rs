//! A data key: what secrets are sealed under. It is stored sealed itself, under an encryption key of the
//! configuration.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{QueryOrder, Select, Set, UpdateMany};

use crate::sealed::KeyId;

/// What a data key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Purpose {
    /// Keys that have to stay the same for good are derived from it. There is one, and it is never replaced.
    #[sea_orm(string_value = "ROOT")]
    Root,
    /// Secrets are sealed under it until a rotation replaces it.
    #[sea_orm(string_value = "SECRETS")]
    Secrets,
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Root => "ROOT",
            Self::Secrets => "SECRETS",
        })
    }
}

/// One data key. It is the installation's: it belongs to no organization.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_key")]
pub struct Model {
    /// Its name in what is sealed under it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Vec<u8>,
    /// What it is for.
    pub purpose: Purpose,
    /// The key, sealed under an encryption key.
    pub sealed_key: Vec<u8>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// From when on it seals: every process knows it by then.
    pub active_from: DateTimeUtc,
}

impl Model {
    /// Its id; none if that was altered.
    pub fn key_id(&self) -> Option<KeyId> {
        KeyId::from_bytes(&self.id)
    }

    /// The encryption key that it is sealed under; none if it was altered.
    pub fn sealed_under(&self) -> Option<KeyId> {
        KeyId::of_sealed(&self.sealed_key)
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        self.key_id().map_or_else(|| "with a malformed id".to_owned(), |id| id.to_string())
    }

    /// What the sealed key is bound to: all that the row says, so that none of it can be altered.
    pub(crate) fn row(&self) -> String {
        let (id, purpose) = (self.name(), self.purpose);
        let (made, active) = (self.created_at.timestamp_micros(), self.active_from.timestamp_micros());
        format!("data_key:{id}:{purpose}:{made}:{active}")
    }
}

impl Entity {
    /// All data keys, in the order in which they begin to seal.
    pub fn in_order() -> Select<Self> {
        Self::find().order_by_asc(Column::ActiveFrom).order_by_asc(Column::Id)
    }

    /// Writes the root key's row without a change: whoever did so first has every later one wait until its
    /// transaction has ended.
    pub fn lock() -> UpdateMany<Self> {
        Self::update_many()
            .col_expr(Column::Purpose, Expr::col(Column::Purpose))
            .filter(Column::Purpose.eq(Purpose::Root))
    }

    /// Puts `sealed_key` in the place of the row's, unless that has changed meanwhile.
    pub fn replace(row: &Model, sealed_key: Vec<u8>) -> UpdateMany<Self> {
        Self::update_many()
            .set(ActiveModel { sealed_key: Set(sealed_key), ..Default::default() })
            .filter(Column::Id.eq(row.id.clone()))
            .filter(Column::SealedKey.eq(row.sealed_key.clone()))
    }
}

/// A data key's uses are found by its id within sealed values.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
