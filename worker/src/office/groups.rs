//! Reads groups and their direct members.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use entity::office::feed;
use entity::office::group::{self, Column, Kind};
use entity::office::membership;
use microsoft::delta::{Change, Changes, Start};
use microsoft::{Group, GroupMemberKind, MembershipChange, MicrosoftError};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Set,
};
use uuid::Uuid;

use super::load::{Load, Pause};
use super::round::{self, Sink};
use super::seen::{self, CHUNK, Seen};

pub(super) async fn read(load: &Load<'_>, feed: &mut feed::Model) -> Result<(), Pause> {
    round::read(load, feed, &Groups(load)).await
}

struct Groups<'a>(&'a Load<'a>);

impl Sink<Group> for Groups<'_> {
    async fn fetch(&self, start: &Start) -> Result<Changes<Group>, MicrosoftError> {
        self.0.context.microsoft.graph().group_changes(self.0.tenant.entra_tenant_id, start).await
    }

    async fn store(
        &self,
        transaction: &DatabaseTransaction,
        feed: &feed::Model,
        changes: Vec<Change<Group>>,
    ) -> Result<(), DbErr> {
        let ids = changes.iter().map(|change| match change {
            Change::Is(group) => group.id,
            Change::Removed { id, .. } => *id,
        });
        let ids: BTreeSet<_> = ids.map(|id| group::id_of(feed.tenant_id, id)).collect();
        let mut page = Page::load(transaction, feed, &ids, self.0.context.clock.now()).await?;
        for change in changes {
            page.apply(change);
        }
        page.store(transaction).await
    }

    async fn sweep(&self, transaction: &DatabaseTransaction, feed: &feed::Model) -> Result<(), DbErr> {
        let now = self.0.context.clock.now();
        group::Entity::update_many()
            .set(group::ActiveModel {
                deleted_at: Set(Some(now)),
                changed_at: Set(now),
                ..Default::default()
            })
            .filter(Column::TenantId.eq(feed.tenant_id))
            .filter(Column::Round.ne(feed.round))
            .filter(Column::DeletedAt.is_null())
            .exec(transaction)
            .await?;
        membership::Entity::delete_many()
            .filter(membership::Column::TenantId.eq(feed.tenant_id))
            .filter(membership::Column::Round.ne(feed.round))
            .exec(transaction)
            .await?;
        count_members(transaction, Column::TenantId.eq(feed.tenant_id).into()).await
    }
}

/// Counts the members of some groups again.
async fn count_members(database: &impl ConnectionTrait, which: Condition) -> Result<(), DbErr> {
    let count = Query::select()
        .expr(membership::Column::Id.count())
        .from(membership::Entity)
        .and_where(
            Expr::col((membership::Entity, membership::Column::GroupId)).equals((group::Entity, Column::Id)),
        )
        .to_owned();
    group::Entity::update_many()
        .col_expr(Column::MemberCount, Expr::SubQuery(None, Box::new(count.into())))
        .filter(which)
        .exec(database)
        .await
        .map(drop)
}

/// The groups that a page tells of, and who came and left.
struct Page<'a> {
    feed: &'a feed::Model,
    now: DateTime<Utc>,
    groups: HashMap<Uuid, group::Model>,
    known: HashMap<Uuid, group::Model>,
    members: HashMap<(Uuid, Uuid), MembershipChange>,
}

impl<'a> Page<'a> {
    async fn load(
        database: &impl ConnectionTrait,
        feed: &'a feed::Model,
        ids: &BTreeSet<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<Self, DbErr> {
        let ids: Vec<_> = ids.iter().copied().collect();
        let known = seen::known::<group::Entity>(database, feed.organization_id, &ids).await?;
        Ok(Self { feed, now, groups: known.clone(), known, members: HashMap::new() })
    }

    fn apply(&mut self, change: Change<Group>) {
        match change {
            Change::Is(told) => self.tell(told),
            Change::Removed { id, .. } => {
                let id = group::id_of(self.feed.tenant_id, id);
                if let Some(group) = self.groups.get_mut(&id) {
                    group.deleted_at.get_or_insert(self.now);
                    self.members.retain(|(of, _), _| *of != id);
                }
            }
        }
    }

    fn tell(&mut self, told: Group) {
        let id = group::id_of(self.feed.tenant_id, told.id);
        let group = self.groups.entry(id).or_insert_with(|| new(self.feed, id, told.id, self.now));
        group.display_name = told.display_name.or(Some(group.display_name.clone())).unwrap_or_default();
        group.is_mail_enabled = told.mail_enabled.or(Some(group.is_mail_enabled)).unwrap_or(false);
        group.is_security_enabled =
            told.security_enabled.or(Some(group.is_security_enabled)).unwrap_or(false);
        let was_unified = (group.kind == Kind::Microsoft365).then(|| vec!["Unified".to_owned()]);
        let is_unified =
            told.group_types.or(was_unified).is_some_and(|of| of.iter().any(|of| of == "Unified"));
        group.kind = Kind::of(is_unified, group.is_mail_enabled, group.is_security_enabled);
        group.membership_rule = told.membership_rule.or(group.membership_rule.take());
        group.entra_created_at = told.created_at.or(group.entra_created_at);
        group.round = self.feed.round;
        group.deleted_at = None;
        self.members.extend(told.members.into_iter().map(|change| ((id, change.member.id), change)));
    }

    async fn store(mut self, database: &impl ConnectionTrait) -> Result<(), DbErr> {
        let groups = std::mem::take(&mut self.groups);
        let gone: Vec<_> =
            groups.values().filter(|group| group.deleted_at.is_some()).map(|group| group.id).collect();
        seen::store::<group::Entity>(database, groups, &self.known, (self.feed.round, self.now)).await?;
        seen::delete::<membership::Entity>(database, membership::Column::GroupId, &gone).await?;
        self.store_members(database, gone).await
    }

    async fn store_members(&self, database: &impl ConnectionTrait, gone: Vec<Uuid>) -> Result<(), DbErr> {
        let (came, left): (Vec<_>, Vec<_>) = self.members.iter().partition(|(_, change)| change.is_in);
        let left: Vec<_> =
            left.iter().map(|((group, member), _)| membership::id_of(*group, *member)).collect();
        seen::delete::<membership::Entity>(database, membership::Column::Id, &left).await?;
        let rows: Vec<_> = came
            .iter()
            .map(|((group_id, member_id), change)| membership::ActiveModel {
                id: Set(membership::id_of(*group_id, *member_id)),
                organization_id: Set(self.feed.organization_id),
                tenant_id: Set(self.feed.tenant_id),
                group_id: Set(*group_id),
                member_id: Set(*member_id),
                kind: Set(kind(change.member.kind)),
                round: Set(self.feed.round),
            })
            .collect();
        for chunk in rows.chunks(CHUNK) {
            let known = OnConflict::column(membership::Column::Id)
                .update_columns([membership::Column::Kind, membership::Column::Round])
                .to_owned();
            let rows = membership::Entity::insert_many(chunk.iter().cloned()).on_conflict(known);
            rows.exec_without_returning(database).await?;
        }
        let touched: BTreeSet<_> = self.members.keys().map(|(group, _)| *group).chain(gone).collect();
        let touched: Vec<_> = touched.into_iter().collect();
        for chunk in touched.chunks(CHUNK) {
            count_members(database, Column::Id.is_in(chunk.iter().copied()).into()).await?;
        }
        Ok(())
    }
}

fn kind(of: GroupMemberKind) -> membership::Kind {
    match of {
        GroupMemberKind::User => membership::Kind::User,
        GroupMemberKind::Group => membership::Kind::Group,
        GroupMemberKind::Device => membership::Kind::Device,
        GroupMemberKind::ServicePrincipal => membership::Kind::ServicePrincipal,
        GroupMemberKind::Other => membership::Kind::Other,
    }
}

fn new(feed: &feed::Model, id: Uuid, entra_group_id: Uuid, now: DateTime<Utc>) -> group::Model {
    group::Model {
        id,
        organization_id: feed.organization_id,
        tenant_id: feed.tenant_id,
        entra_group_id,
        display_name: String::new(),
        kind: Kind::Security,
        is_mail_enabled: false,
        is_security_enabled: false,
        membership_rule: None,
        entra_created_at: None,
        member_count: 0,
        round: feed.round,
        first_seen_at: now,
        changed_at: now,
        deleted_at: None,
    }
}

impl Seen for group::Entity {
    const ID: Column = Column::Id;
    const ROUND: Column = Column::Round;
    /// Everything but the id, the owner, when it was first seen, and how many members it has, which is counted.
    const WRITTEN: &'static [Column] = &[
        Column::DisplayName,
        Column::Kind,
        Column::IsMailEnabled,
        Column::IsSecurityEnabled,
        Column::MembershipRule,
        Column::EntraCreatedAt,
        Column::Round,
        Column::ChangedAt,
        Column::DeletedAt,
    ];

    fn id(row: &group::Model) -> Uuid {
        row.id
    }

    fn shown(row: group::Model, round: i64) -> group::Model {
        group::Model { round, ..row }
    }

    fn changed(row: group::Model, changed_at: DateTime<Utc>) -> group::Model {
        group::Model { changed_at, ..row }
    }
}
