//! An owner link: lets an owner who has no account here start one consent, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{FromJsonQueryResult, Set};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::consent::hash;

/// The longest that an owner link may last.
pub const LONGEST: TimeDelta = TimeDelta::days(30);

/// How many consents an owner link may start: whoever follows it may need more than one try.
pub const MOST_CONSENTS: i32 = 10;

/// Ids of subscriptions, ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Subscriptions(pub Vec<Uuid>);

/// One owner link.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "owner_link")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant of its subscriptions.
    pub tenant_id: Uuid,
    /// SHA-256 of the secret in the link.
    pub token_hash: Vec<u8>,
    /// The secret's last four characters, to tell the link by.
    pub last_four: String,
    /// What the link is for; only members see it.
    pub note: String,
    /// What it is consented for.
    #[sea_orm(column_type = "JsonBinary")]
    pub subscriptions: Subscriptions,
    /// The member who created it, or who answers for the access token that did.
    pub created_by: Uuid,
    /// The access token that created it; none: the member did.
    pub access_token_id: Option<Uuid>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// Until when the link is good.
    pub expires_at: DateTimeUtc,
    /// How many consents it has started.
    pub consents_started: i32,
    /// When a consent that it started was granted.
    pub used_at: Option<DateTimeUtc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTimeUtc>,
}

/// How an owner link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// An owner can still start the consent.
    Open,
    /// The consent was granted.
    Used,
    /// It was revoked.
    Revoked,
    /// Past its expiry.
    Expired,
    /// It has started as many consents as it may, and none was granted.
    Exhausted,
}

/// What an owner link is for.
pub struct Wanted {
    /// The organization.
    pub organization_id: Uuid,
    /// The tenant of the subscriptions.
    pub tenant_id: Uuid,
    /// What is to be consented for.
    pub subscriptions: Vec<Uuid>,
    /// What the link is for; only members see it.
    pub note: String,
    /// The member who creates it, or who answers for the access token that does.
    pub created_by: Uuid,
    /// The access token that creates it.
    pub access_token_id: Option<Uuid>,
    /// Until when the link is good.
    pub expires_at: DateTime<Utc>,
}

impl Wanted {
    /// An open link, and its secret, which nobody can be told again.
    pub fn created(self, now: DateTime<Utc>) -> (ActiveModel, SecretString) {
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let link = ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(self.organization_id),
            tenant_id: Set(self.tenant_id),
            token_hash: Set(hash(&secret)),
            last_four: Set(secret[secret.len() - 4..].to_owned()),
            note: Set(self.note),
            subscriptions: Set(Subscriptions(self.subscriptions)),
            created_by: Set(self.created_by),
            access_token_id: Set(self.access_token_id),
            created_at: Set(now),
            expires_at: Set(self.expires_at),
            consents_started: Set(0),
            used_at: Set(None),
            revoked_at: Set(None),
        };
        (link, SecretString::from(secret))
    }
}

impl Model {
    /// How it stands at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        if self.used_at.is_some() {
            State::Used
        } else if self.revoked_at.is_some() {
            State::Revoked
        } else if self.expires_at <= now {
            State::Expired
        } else if self.consents_started >= MOST_CONSENTS {
            State::Exhausted
        } else {
            State::Open
        }
    }
}

impl Entity {
    /// The owner link that carries `secret`: who follows it is no viewer.
    pub fn by_secret(secret: &SecretString) -> Select<Self> {
        Self::find().filter(Column::TokenHash.eq(hash(secret.expose_secret())))
    }
}

/// An owner link's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    // A holder of single subscriptions is told nothing of links that may be about others.
    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::whole_tenants(Column::TenantId, holder))
    }
}
