//! Takes a load from wherever its rows say it is: looks which permissions are held, then reads each feed that waits.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use entity::office::connection::{self, Permissions};
use entity::office::feed::{self, Kind, RefusedRows, State};
use entity::{Failure, Owned, operation, tenant};
use microsoft::{Grants, Permission, REPLICATION_WAITS};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set, Unchanged,
};

use super::{groups, licences, open_feeds, reports, users};
use crate::context::Context;
use crate::job::JobError;
use crate::{failures, operations, transaction};

/// How often progress is told.
const BEAT: Duration = Duration::from_millis(500);

/// How often a load looks whether the one before it has ended.
const TURN: Duration = Duration::from_secs(5);

/// One attempt at a load.
pub(super) struct Load<'a> {
    pub(super) context: &'a Context,
    pub(super) operation: &'a operation::Model,
    pub(super) tenant: tenant::Model,
    last_beat: Mutex<Instant>,
}

/// Why an attempt ends before its feed is complete.
pub(super) enum Pause {
    /// It goes on in a later attempt, or fails.
    Error(JobError),
    /// Somebody asked for the operation to stop.
    Stopped,
}

impl<E: Into<JobError>> From<E> for Pause {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Takes a load from wherever its rows say it is.
pub(crate) async fn load(context: &Context, operation: operation::Model) -> Result<(), JobError> {
    let tenant = tenant::Entity::owned_by(operation.organization_id)
        .filter(tenant::Column::Id.eq(operation.tenant_id))
        .one(&context.database)
        .await?;
    let connection =
        super::connection(&context.database, operation.organization_id, operation.tenant_id).await?;
    let connection = connection.filter(connection::Model::is_connected);
    let Some((tenant, connection)) = tenant.zip(connection) else {
        return operations::end_with(context, &operation, failures::office_not_connected()).await;
    };
    let load = Load { context, operation: &operation, tenant, last_beat: Mutex::new(Instant::now()) };
    if !operation.discovered {
        if load.is_behind_another().await? {
            return Err(JobError::RetryAfter(TURN));
        }
        if !load.look(&connection).await? {
            return Ok(());
        }
    }
    load.feeds().await
}

impl Load<'_> {
    /// Whether an earlier load of the tenant is under way: two would read the same feeds.
    async fn is_behind_another(&self) -> Result<bool, DbErr> {
        let earlier = operation::Entity::under_way(self.operation.organization_id, self.tenant.id)
            .filter(operation::Column::Kind.eq(operation::Kind::LoadOffice))
            .filter(operation::Column::Id.lt(self.operation.id));
        Ok(earlier.one(&self.context.database).await?.is_some())
    }

    /// Looks which permissions are held, and has every feed wait. False: the operation has ended instead.
    async fn look(&self, connection: &connection::Model) -> Result<bool, JobError> {
        let graph = self.context.microsoft.graph();
        let held = match graph.permissions(self.tenant.entra_tenant_id).await? {
            Grants::Held(held) => held,
            Grants::NotYet(reason) => {
                if let Some(wait) = self.replicates() {
                    return Err(JobError::RetryAfter(wait));
                }
                self.remember(connection, Permissions::default(), None).await?;
                operations::end_with(self.context, self.operation, failures::of_microsoft(&reason)).await?;
                return Ok(false);
            }
        };
        let conceals_names = if held.contains(&Permission::ReportSettingsReadAll) {
            Some(graph.conceals_names(self.tenant.entra_tenant_id).await?)
        } else {
            None
        };
        if Permission::UserReadAll.is_covered_by(&held) {
            self.describe().await?;
        }
        // One that stands in for another grants that too.
        let held = Permission::ALL.into_iter().filter(|permission| permission.is_covered_by(&held));
        let held = Permissions(held.map(|permission| permission.as_str().to_owned()).collect());
        self.remember(connection, held, conceals_names).await?;
        Ok(true)
    }

    /// How long to wait for the directory to know what was just consented to; none: it has had its time.
    fn replicates(&self) -> Option<Duration> {
        self.operation.consent_id?;
        let waited = (self.context.clock.now() - self.operation.created_at).to_std().unwrap_or_default();
        let mut until = Duration::ZERO;
        REPLICATION_WAITS.into_iter().find(|wait| {
            until += *wait;
            until > waited
        })
    }

    /// A tenant that only Office 365 is read of has nobody else to tell its name.
    async fn describe(&self) -> Result<(), JobError> {
        let found = self.context.microsoft.graph().organization(self.tenant.entra_tenant_id).await?;
        let described = tenant::ActiveModel {
            id: Unchanged(self.tenant.id),
            display_name: Set(found.display_name.or_else(|| self.tenant.display_name.clone())),
            default_domain: Set(found.default_domain.or_else(|| self.tenant.default_domain.clone())),
            updated_at: Set(self.context.clock.now()),
            ..Default::default()
        };
        described.update(&self.context.database).await?;
        Ok(())
    }

    async fn remember(
        &self,
        connection: &connection::Model,
        held: Permissions,
        conceals_names: Option<bool>,
    ) -> Result<(), DbErr> {
        let now = self.context.clock.now();
        let transaction = transaction::begin(&self.context.database).await?;
        let known = connection::ActiveModel {
            id: Unchanged(connection.id),
            permissions: Set(Some(held)),
            permissions_read_at: Set(Some(now)),
            conceals_names: Set(conceals_names),
            ..Default::default()
        };
        known.update(&transaction).await?;
        open_feeds(&transaction, self.operation, now).await?;
        let discovered = operation::ActiveModel {
            id: Unchanged(self.operation.id),
            discovered: Set(true),
            ..Default::default()
        };
        discovered.update(&transaction).await?;
        transaction.commit().await
    }

    /// Reads each feed that waits; one that cannot be read stops no other.
    async fn feeds(&self) -> Result<(), JobError> {
        let connection =
            super::connection(&self.context.database, self.operation.organization_id, self.tenant.id);
        let held = connection.await?.and_then(|connection| connection.permissions).unwrap_or_default();
        let (mut wait, mut broken): (Option<Duration>, Option<anyhow::Error>) = (None, None);
        for mut feed in self.open().await? {
            let needed = permission(feed.kind);
            if !held.has(needed.as_str()) {
                self.end(&mut feed, State::NotGranted, Some(failures::not_granted(needed))).await?;
                continue;
            }
            match self.read(&mut feed).await {
                Ok(()) => {}
                Err(Pause::Stopped) => {
                    // The next look at the operation ends it.
                    let (organization_id, id) = (self.operation.organization_id, self.operation.id);
                    operations::begin(self.context, organization_id, id).await?;
                    return Ok(());
                }
                Err(Pause::Error(JobError::RetryAfter(delay))) => {
                    wait = Some(wait.map_or(delay, |known| known.min(delay)));
                }
                Err(Pause::Error(JobError::Retry(error))) => broken = Some(error),
                Err(Pause::Error(JobError::Fail(error))) => {
                    self.end(&mut feed, State::Failed, Some(failures::of_job(&error))).await?;
                }
            }
        }
        match (broken, wait) {
            (Some(error), _) => Err(JobError::Retry(error)),
            (None, Some(wait)) => Err(JobError::RetryAfter(wait)),
            (None, None) => operations::end(self.context, self.operation, None).await,
        }
    }

    /// The feeds that more is to be done about, in the order in which they are read.
    async fn open(&self) -> Result<Vec<feed::Model>, DbErr> {
        let mut feeds = feed::Entity::owned_by(self.operation.organization_id)
            .filter(feed::Column::OperationId.eq(self.operation.id))
            .filter(feed::Column::State.is_in(State::OPEN))
            .all(&self.context.database)
            .await?;
        feeds.sort_by_key(|feed| (feed.kind, feed.period));
        Ok(feeds)
    }

    async fn read(&self, feed: &mut feed::Model) -> Result<(), Pause> {
        match feed.kind {
            Kind::Users => users::read(self, feed).await,
            Kind::Groups => groups::read(self, feed).await,
            Kind::PurchasedLicences => licences::purchased(self, feed).await,
            Kind::SignIns => licences::sign_ins(self, feed).await,
            _ => reports::read(self, feed).await,
        }
    }

    /// Says how far a feed is, and that a worker is at it, at a bounded rate.
    pub(super) async fn beat(&self) -> Result<(), Pause> {
        {
            let mut last = self.last_beat.lock().expect("nobody panics with it");
            if last.elapsed() < BEAT {
                return Ok(());
            }
            *last = Instant::now();
        }
        if operations::heartbeat(self.context, self.operation).await? { Ok(()) } else { Err(Pause::Stopped) }
    }

    /// Stores a feed as it stands now.
    pub(super) async fn store(
        &self,
        database: &impl ConnectionTrait,
        feed: &mut feed::Model,
    ) -> Result<(), DbErr> {
        feed.updated_at = self.context.clock.now();
        let stored = feed::ActiveModel {
            state: Set(feed.state),
            link: Set(feed.link.clone()),
            is_complete: Set(feed.is_complete),
            round: Set(feed.round),
            rows_read: Set(feed.rows_read),
            rows_refused: Set(feed.rows_refused),
            refused: Set(feed.refused.clone()),
            failure: Set(feed.failure.clone()),
            etag: Set(feed.etag.clone()),
            report_id: Set(feed.report_id),
            load_id: Set(feed.load_id),
            loaded_at: Set(feed.loaded_at),
            updated_at: Set(feed.updated_at),
            ..Default::default()
        };
        // A later operation may have taken it over; then what this one says of it is old.
        let stored = feed::Entity::update_many()
            .set(stored)
            .filter(feed::Column::Id.eq(feed.id))
            .filter(feed::Column::OperationId.eq(self.operation.id));
        stored.exec(database).await.map(drop)
    }

    /// Says how a feed ended.
    pub(super) async fn end(
        &self,
        feed: &mut feed::Model,
        state: State,
        failure: Option<Failure>,
    ) -> Result<(), JobError> {
        self.ended(feed, state, failure);
        self.store(&self.context.database, feed).await?;
        self.context.progress.publish(self.operation.id).await;
        Ok(())
    }

    /// The same, to be stored with what was read.
    pub(super) fn ended(&self, feed: &mut feed::Model, state: State, failure: Option<Failure>) {
        feed.state = state;
        feed.failure = failure;
        if matches!(state, State::Loaded | State::Unchanged) {
            feed.loaded_at = Some(self.context.clock.now());
        }
    }

    /// Begins a feed anew.
    pub(super) fn begun(feed: &mut feed::Model) {
        feed.state = State::Loading;
        (feed.rows_read, feed.rows_refused) = (0, 0);
        feed.refused = None::<RefusedRows>;
    }
}

/// What a feed cannot be read without.
fn permission(kind: Kind) -> Permission {
    match kind {
        Kind::Users => Permission::UserReadAll,
        Kind::Groups => Permission::GroupReadAll,
        Kind::PurchasedLicences => Permission::OrganizationReadAll,
        Kind::SignIns => Permission::AuditLogReadAll,
        _ => Permission::ReportsReadAll,
    }
}
