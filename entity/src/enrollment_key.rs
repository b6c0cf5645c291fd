//! An enrollment key: an Azure EA API access key that an administrator registered.

pub mod secret;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, QueryOrder, QuerySelect};

use crate::Failure;

pub use secret::EnrollmentKeySecret;

/// How long before its expiry an enrollment key warns of it.
pub const WARNING: TimeDelta = TimeDelta::days(30);

/// How often each is checked.
pub const CHECK_EVERY: TimeDelta = TimeDelta::days(1);

/// How long after a check that could not say it is checked again.
pub const CHECK_AGAIN: TimeDelta = TimeDelta::hours(1);

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
    /// How it stood when it was last checked; none: it never was. [`Model::state_at`] knows the time too.
    pub state: Option<State>,
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

impl Model {
    /// How it stands at `now`: time goes on between two checks. None: it was not checked yet.
    pub fn state_at(&self, now: DateTime<Utc>) -> Option<State> {
        let expires_within = |span| self.expires_at.is_some_and(|expires_at| expires_at <= now + span);
        match self.state {
            Some(State::Incomplete) => Some(State::Incomplete),
            _ if expires_within(TimeDelta::zero()) => Some(State::Expired),
            Some(State::Connected | State::ExpiresSoon) if expires_within(WARNING) => {
                Some(State::ExpiresSoon)
            }
            state => state,
        }
    }

    /// What the sealed key is bound to.
    pub fn row(&self) -> String {
        row(self.id)
    }
}

/// What the sealed key of the enrollment key `id` is bound to.
pub fn row(id: Uuid) -> String {
    format!("enrollment_key:{id}")
}

impl Entity {
    /// Enrollment keys, of every organization, that are due to be checked at `now`: the last check is a day ago,
    /// or could not say and is an hour ago, or was asked for at least `patience` ago and never came.
    pub fn due(now: DateTime<Utc>, patience: TimeDelta) -> Select<Self> {
        let not_lately =
            Condition::any().add(Column::CheckedAt.is_null()).add(Column::CheckedAt.lte(now - CHECK_EVERY));
        let never_came = Condition::all()
            .add(Column::CheckedAt.is_null())
            .add(Column::Failure.is_null())
            .add(Column::UpdatedAt.lte(now - patience));
        Self::find()
            .filter(not_lately)
            .filter(Condition::any().add(never_came).add(Column::UpdatedAt.lte(now - CHECK_AGAIN)))
            .order_by_asc(Column::UpdatedAt)
            .limit(1_000)
    }
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
