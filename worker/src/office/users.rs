//! Reads users and the licences assigned to them.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::Owned;
use entity::office::user::{self, Column};
use entity::office::{assigned_licence, feed, fold};
use microsoft::delta::{Change, Changes, Start};
use microsoft::{MicrosoftError, User};
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::load::{Load, Pause};
use super::round::{self, Sink};
use super::seen::{self, CHUNK, Seen};

pub(super) async fn read(load: &Load<'_>, feed: &mut feed::Model) -> Result<(), Pause> {
    round::read(load, feed, &Users(load)).await
}

struct Users<'a>(&'a Load<'a>);

impl Sink<User> for Users<'_> {
    async fn fetch(&self, start: &Start) -> Result<Changes<User>, MicrosoftError> {
        self.0.context.microsoft.graph().user_changes(self.0.tenant.entra_tenant_id, start).await
    }

    async fn store(
        &self,
        transaction: &DatabaseTransaction,
        feed: &feed::Model,
        changes: Vec<Change<User>>,
    ) -> Result<(), DbErr> {
        let ids: Vec<_> = changes.iter().map(|change| user::id_of(feed.tenant_id, id_of(change))).collect();
        let mut page = Page::load(transaction, feed, &ids, self.0.context.clock.now()).await?;
        for change in changes {
            page.apply(change);
        }
        page.store(transaction).await
    }

    async fn sweep(&self, transaction: &DatabaseTransaction, feed: &feed::Model) -> Result<(), DbErr> {
        let now = self.0.context.clock.now();
        user::Entity::update_many()
            .set(user::ActiveModel {
                deleted_at: Set(Some(now)),
                changed_at: Set(now),
                licence_count: Set(0),
                ..Default::default()
            })
            .filter(Column::TenantId.eq(feed.tenant_id))
            .filter(Column::Round.ne(feed.round))
            .filter(Column::DeletedAt.is_null())
            .exec(transaction)
            .await?;
        let gone = Query::select()
            .column(Column::Id)
            .from(user::Entity)
            .and_where(Column::TenantId.eq(feed.tenant_id))
            .and_where(Column::DeletedAt.is_not_null())
            .to_owned();
        assigned_licence::Entity::delete_many()
            .filter(assigned_licence::Column::TenantId.eq(feed.tenant_id))
            .filter(assigned_licence::Column::UserId.in_subquery(gone))
            .exec(transaction)
            .await
            .map(drop)
    }
}

fn id_of(change: &Change<User>) -> Uuid {
    match change {
        Change::Is(user) => user.id,
        Change::Removed { id, .. } => *id,
    }
}

/// The users that a page tells of, and their licences.
struct Page<'a> {
    feed: &'a feed::Model,
    now: DateTime<Utc>,
    users: HashMap<Uuid, user::Model>,
    licences: HashMap<Uuid, BTreeSet<Uuid>>,
    /// What was stored before, to write only what is new or has changed.
    known: HashMap<Uuid, user::Model>,
    held: HashMap<Uuid, BTreeSet<Uuid>>,
}

impl<'a> Page<'a> {
    async fn load(
        database: &impl ConnectionTrait,
        feed: &'a feed::Model,
        ids: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<Self, DbErr> {
        let known = seen::known::<user::Entity>(database, feed.organization_id, ids).await?;
        let mut held = HashMap::<_, BTreeSet<_>>::new();
        for chunk in ids.chunks(CHUNK) {
            let licences = assigned_licence::Entity::owned_by(feed.organization_id)
                .filter(assigned_licence::Column::UserId.is_in(chunk.iter().copied()))
                .all(database)
                .await?;
            for licence in licences {
                held.entry(licence.user_id).or_default().insert(licence.sku_id);
            }
        }
        Ok(Self { feed, now, users: known.clone(), licences: held.clone(), known, held })
    }

    fn apply(&mut self, change: Change<User>) {
        match change {
            Change::Is(told) => self.tell(told),
            Change::Removed { id, .. } => {
                let id = user::id_of(self.feed.tenant_id, id);
                if let Some(user) = self.users.get_mut(&id) {
                    user.deleted_at.get_or_insert(self.now);
                    user.licence_count = 0;
                    self.licences.remove(&id);
                }
            }
        }
    }

    fn tell(&mut self, told: User) {
        let id = user::id_of(self.feed.tenant_id, told.id);
        let user = self.users.entry(id).or_insert_with(|| new(self.feed, id, told.id, self.now));
        user.display_name = told.display_name.or(Some(user.display_name.clone())).unwrap_or_default();
        let name = told.user_principal_name.or(Some(user.principal_name.clone())).unwrap_or_default();
        user.folded_name = fold(&name);
        user.principal_name = name;
        user.mail = told.mail.or(user.mail.take());
        user.is_enabled = told.account_enabled.or(Some(user.is_enabled)).unwrap_or(false);
        let guest = if user.is_guest { "Guest" } else { "Member" };
        user.is_guest = told.user_type.or(Some(guest.to_owned())).is_some_and(|of| of == "Guest");
        user.department = told.department.or(user.department.take()).filter(|name| !name.trim().is_empty());
        user.usage_location = told.usage_location.or(user.usage_location.take());
        user.entra_created_at = told.created_at.or(user.entra_created_at);
        user.round = self.feed.round;
        user.deleted_at = None;
        let held = self.licences.remove(&id).unwrap_or_default();
        let held: BTreeSet<_> =
            told.sku_ids.or(Some(held.into_iter().collect())).unwrap_or_default().into_iter().collect();
        user.licence_count = i64::try_from(held.len()).unwrap_or(i64::MAX);
        self.licences.insert(id, held);
    }

    async fn store(mut self, database: &impl ConnectionTrait) -> Result<(), DbErr> {
        let users = std::mem::take(&mut self.users);
        seen::store::<user::Entity>(database, users, &self.known, (self.feed.round, self.now)).await?;
        self.store_licences(database).await
    }

    async fn store_licences(&self, database: &impl ConnectionTrait) -> Result<(), DbErr> {
        let pairs = |of: &HashMap<Uuid, BTreeSet<Uuid>>| -> HashSet<(Uuid, Uuid)> {
            of.iter().flat_map(|(user, skus)| skus.iter().map(move |sku| (*user, *sku))).collect()
        };
        let (before, now) = (pairs(&self.held), pairs(&self.licences));
        let gone: Vec<_> =
            before.difference(&now).map(|(user, sku)| assigned_licence::id_of(*user, *sku)).collect();
        seen::delete::<assigned_licence::Entity>(database, assigned_licence::Column::Id, &gone).await?;
        let new: Vec<_> = now
            .difference(&before)
            .map(|(user, sku)| assigned_licence::ActiveModel {
                id: Set(assigned_licence::id_of(*user, *sku)),
                organization_id: Set(self.feed.organization_id),
                tenant_id: Set(self.feed.tenant_id),
                user_id: Set(*user),
                sku_id: Set(*sku),
            })
            .collect();
        for chunk in new.chunks(CHUNK) {
            assigned_licence::Entity::insert_many(chunk.iter().cloned())
                .exec_without_returning(database)
                .await?;
        }
        Ok(())
    }
}

fn new(feed: &feed::Model, id: Uuid, entra_user_id: Uuid, now: DateTime<Utc>) -> user::Model {
    user::Model {
        id,
        organization_id: feed.organization_id,
        tenant_id: feed.tenant_id,
        entra_user_id,
        display_name: String::new(),
        principal_name: String::new(),
        folded_name: String::new(),
        mail: None,
        is_enabled: false,
        is_guest: false,
        department: None,
        usage_location: None,
        entra_created_at: None,
        last_sign_in_at: None,
        licence_count: 0,
        round: feed.round,
        first_seen_at: now,
        changed_at: now,
        deleted_at: None,
    }
}

impl Seen for user::Entity {
    const ID: Column = Column::Id;
    const ROUND: Column = Column::Round;
    /// Everything but the id, the owner, when it was first seen, and what another feed says of it.
    const WRITTEN: &'static [Column] = &[
        Column::DisplayName,
        Column::PrincipalName,
        Column::FoldedName,
        Column::Mail,
        Column::IsEnabled,
        Column::IsGuest,
        Column::Department,
        Column::UsageLocation,
        Column::EntraCreatedAt,
        Column::LicenceCount,
        Column::Round,
        Column::ChangedAt,
        Column::DeletedAt,
    ];

    fn id(row: &user::Model) -> Uuid {
        row.id
    }

    fn shown(row: user::Model, round: i64) -> user::Model {
        user::Model { round, ..row }
    }

    fn changed(row: user::Model, changed_at: DateTime<Utc>) -> user::Model {
        user::Model { changed_at, ..row }
    }
}
