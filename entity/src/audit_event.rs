//! An audit event: who did what to which thing, and when. It is never changed.
//!
//! The events of an organization are numbered from one and chained: each carries a keyed hash of itself and of
//! the one before it, see [`chain`]. A new event is made by [`Model::after`] and stored by the worker's
//! `audit::append`, in the transaction of the change that it records.

pub mod chain;
mod line;
mod vocabulary;

use chrono::{DateTime, SubsecRound, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryFilter, Select};
use serde_json::Value;

use crate::audit_head;
use chain::ChainKey;

pub use chain::{Fault, Walk};
pub use line::{Line, hex, read};
pub use vocabulary::{Action, Actor, ActorKind, ObjectKind};

/// The last moment that both databases can tell.
const LAST_MOMENT: i64 = 253_402_300_799;

/// One audit event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_event")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization in which it happened.
    pub organization_id: Uuid,
    /// Its number in the organization, from one and without gaps.
    pub sequence: i64,
    /// When it happened, to the microsecond: more does not survive `PostgreSQL`.
    pub occurred_at: DateTimeUtc,
    /// What whoever did it is.
    pub actor_kind: ActorKind,
    /// Which one of these.
    pub actor_id: Option<Uuid>,
    /// What was done.
    pub action: Action,
    /// Of what kind the thing is that it was done to.
    pub object_kind: ObjectKind,
    /// Which one of these.
    pub object_id: Uuid,
    /// What the change replaced, as JSON. It is kept as a text, since `PostgreSQL` would write JSON anew and the
    /// hash is of what was written here.
    #[sea_orm(column_type = "Text", nullable)]
    pub before: Option<String>,
    /// What the change made, as JSON.
    #[sea_orm(column_type = "Text", nullable)]
    pub after: Option<String>,
    /// From which address it was asked for.
    pub address: Option<String>,
    /// The id of the request that asked for it.
    pub request_id: Option<String>,
    /// By which Microsoft finds the calls that did it.
    pub microsoft_correlation_id: Option<String>,
    /// The hash of the event before it.
    pub previous_hash: Vec<u8>,
    /// The keyed hash of all of the above.
    pub hash: Vec<u8>,
}

/// On whose behalf something is done, and where that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The organization in which it happens.
    pub organization_id: Uuid,
    /// Who does it.
    pub actor: Actor,
    /// From which address it was asked for.
    pub address: Option<String>,
    /// The id of the request that asked for it.
    pub request_id: Option<String>,
}

impl Author {
    /// Somebody who sent no request.
    pub fn unasked(organization_id: Uuid, actor: Actor) -> Self {
        Self { organization_id, actor, address: None, request_id: None }
    }
}

/// What was done, before it is known by whom. Holds no secret, token or e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    action: Action,
    object: (ObjectKind, Uuid),
    before: Option<Value>,
    after: Option<Value>,
    microsoft_correlation_id: Option<String>,
}

impl Record {
    /// Something was done to this thing.
    pub fn of(action: Action, kind: ObjectKind, id: Uuid) -> Self {
        Self { action, object: (kind, id), before: None, after: None, microsoft_correlation_id: None }
    }

    /// What the change replaced.
    #[must_use]
    pub fn before(self, before: Value) -> Self {
        Self { before: Some(before), ..self }
    }

    /// What the change made.
    #[must_use]
    pub fn after(self, after: Value) -> Self {
        Self { after: Some(after), ..self }
    }

    /// By which Microsoft finds the calls that did it.
    #[must_use]
    pub fn correlated(self, microsoft_correlation_id: Option<String>) -> Self {
        Self { microsoft_correlation_id, ..self }
    }
}

impl Model {
    /// The event that follows `head`: `author` did what `record` says.
    pub fn after(
        key: &ChainKey,
        head: &audit_head::Model,
        now: DateTime<Utc>,
        author: &Author,
        record: Record,
    ) -> Self {
        let (object_kind, object_id) = record.object;
        let mut event = Self {
            id: Uuid::now_v7(),
            organization_id: author.organization_id,
            sequence: head.sequence + 1,
            occurred_at: now.trunc_subsecs(6),
            actor_kind: author.actor.kind(),
            actor_id: author.actor.id(),
            action: record.action,
            object_kind,
            object_id,
            before: record.before.map(|before| before.to_string()),
            after: record.after.map(|after| after.to_string()),
            address: author.address.clone(),
            request_id: author.request_id.clone(),
            microsoft_correlation_id: record.microsoft_correlation_id,
            previous_hash: head.hash.clone(),
            hash: Vec::new(),
        };
        event.hash = key.hash(&event);
        event
    }
}

/// A stretch of time: from its beginning, which belongs to it, to its end, which does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its beginning; none: it always was.
    pub from: Option<DateTime<Utc>>,
    /// Its end; none: it goes on.
    pub to: Option<DateTime<Utc>>,
}

impl Period {
    /// Whether both databases can compare with it: it comes from outside, and may be anything.
    pub fn is_sound(self) -> bool {
        let is_sound = |moment: &DateTime<Utc>| (0..=LAST_MOMENT).contains(&moment.timestamp());
        self.from.iter().chain(&self.to).all(is_sound)
    }

    /// Of `events`, those that happened in it.
    pub fn of(self, mut events: Select<Entity>) -> Select<Entity> {
        if let Some(from) = self.from {
            events = events.filter(Column::OccurredAt.gte(from));
        }
        if let Some(to) = self.to {
            events = events.filter(Column::OccurredAt.lt(to));
        }
        events
    }
}

/// What an event is about is told by ids, which outlive the things themselves.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    // An event can be about anything, so who is limited sees none.
    fn within(rows: Select<Self>, _holder: Uuid) -> Select<Self> {
        rows.filter(Column::Id.is_null())
    }
}
