//! Writes the tags of a change set, at every subscription of an operation at once: each has a budget of its own.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use entity::operation_step::{self, Outcome as StepOutcome, State};
use entity::subscription::{self, AccessLevel};
use entity::tag_write::{self, Outcome};
use entity::{Failure, Owned, change_set, operation, tenant};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt, stream};
use microsoft::MicrosoftError;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::change_set::{Names, ROOM, Writer, Written, by_resource};
use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{failures, operations, window};

/// Subscriptions that are written to at once.
const SUBSCRIPTIONS: usize = 32;
/// Resources of one subscription that are written to at once: with the usual latency more than the budget needs.
const RESOURCES: usize = 8;
/// Writes that are read at once.
const PAGE: u64 = 400;
/// How often is looked for roles that have begun to work.
const LOOK: Duration = Duration::from_secs(1);
/// How often progress is told.
const BEAT: Duration = Duration::from_millis(500);

/// Writes the tags of every step of an operation that stands at `WRITING`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WriteTags {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
}

impl Job for WriteTags {
    const NAME: &'static str = "write-tags";
    const CONCURRENCY: usize = 8;
    const MAX_ATTEMPTS: u32 = 6;
    /// The largest change sets take as long as an operation may.
    const TIMEOUT: Duration = Duration::from_hours(6);
    type Context = Context;

    fn key(&self) -> String {
        self.operation_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = begun else { return Ok(()) };
        if operation.consent_id.is_some() {
            operations::change_roles(context, &operation).await?;
        }
        let Some(run) = Run::load(context, &operation).await? else {
            return Err(JobError::Fail(anyhow::anyhow!("the operation's change set or tenant is gone")));
        };
        run.all().await?;
        if run.is_stopped.load(Ordering::Relaxed) {
            // Cancelled: the next look at the operation ends it.
            operations::begin(context, self.organization_id, self.operation_id).await?;
            return Ok(());
        }
        if let Some(wait) = run.take_wait().await? {
            return Err(wait);
        }
        operations::settle(context, &operation).await
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        operations::give_up(context, self.organization_id, self.operation_id, why).await
    }
}

/// One attempt.
struct Run<'a> {
    context: &'a Context,
    operation: &'a operation::Model,
    change_set: change_set::Model,
    tenant: tenant::Model,
    names: Names,
    last_beat: Mutex<Instant>,
    is_stopped: AtomicBool,
    /// Whether the window in which a role is held is about to close.
    is_closing: AtomicBool,
    wait: Mutex<Wait>,
    /// Rings when a step has ended.
    has_room: Notify,
}

/// Why not everything could be done in this attempt.
#[derive(Default)]
struct Wait {
    throttled: Option<Duration>,
    unavailable: Option<MicrosoftError>,
}

impl<'a> Run<'a> {
    async fn load(context: &'a Context, operation: &'a operation::Model) -> Result<Option<Self>, JobError> {
        let change_set = change_set::Entity::owned_by(operation.organization_id)
            .filter(change_set::Column::Id.eq(operation.change_set_id))
            .one(&context.database)
            .await?;
        let tenant = tenant::Entity::owned_by(operation.organization_id)
            .filter(tenant::Column::Id.eq(operation.tenant_id))
            .one(&context.database)
            .await?;
        let names = Names::load(&context.database, operation.organization_id).await?;
        Ok(change_set.zip(tenant).map(|(change_set, tenant)| Self {
            context,
            operation,
            change_set,
            tenant,
            names,
            last_beat: Mutex::new(Instant::now()),
            is_stopped: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            wait: Mutex::default(),
            has_room: Notify::new(),
        }))
    }

    /// Takes every step as far as it goes, also those whose role works only after the others were begun.
    ///
    /// Steps are looked for while others are written, never in between: what is not polled keeps its connection to the
    /// database, and a look that waits for one of those would wait for good.
    async fn all(&self) -> Result<(), JobError> {
        self.watch_window().await?;
        let (mut begun, mut writing) = (HashSet::new(), FuturesUnordered::new());
        let mut look = pin!(self.look(Duration::ZERO));
        loop {
            tokio::select! {
                found = &mut look => {
                    let new = found?.into_iter().filter(|step| !begun.contains(&step.id));
                    for step in new.take(SUBSCRIPTIONS - writing.len()).collect::<Vec<_>>() {
                        begun.insert(step.id);
                        writing.push(self.step(step));
                    }
                    if writing.is_empty() {
                        return Ok(());
                    }
                    look.set(self.look(LOOK));
                }
                Some(ended) = writing.next() => {
                    ended?;
                    self.has_room.notify_one();
                }
            }
        }
    }

    /// Looks for steps as soon as one has ended, or else after a while.
    async fn look(&self, after: Duration) -> Result<Vec<operation_step::Model>, JobError> {
        tokio::select! {
            () = tokio::time::sleep(after) => {}
            () = self.has_room.notified() => {}
        }
        self.writing().await
    }

    /// The steps that stand at `WRITING`. Those that hold a role for it go first.
    async fn writing(&self) -> Result<Vec<operation_step::Model>, JobError> {
        let mut steps = operation_step::Entity::owned_by(self.operation.organization_id)
            .filter(operation_step::Column::OperationId.eq(self.operation.id))
            .filter(operation_step::Column::State.eq(State::Writing))
            .order_by_asc(operation_step::Column::Id)
            .all(&self.context.database)
            .await?;
        steps.sort_by_key(|step| step.access_level.is_none());
        Ok(steps)
    }

    async fn step(&self, step: operation_step::Model) -> Result<(), JobError> {
        let subscription = subscription::Entity::owned_by(step.organization_id)
            .filter(subscription::Column::Id.eq(step.subscription_id))
            .one(&self.context.database)
            .await?;
        let Some(mut subscription) = subscription else { return Ok(()) };
        // As long as the role is held, it is written to as at the level that it is held for.
        subscription.access_level = step.access_level.unwrap_or(subscription.access_level);
        self.refuse_below_level(&step, &subscription).await?;
        let writer = Writer::new(self.context, &self.change_set, subscription, &self.tenant, &self.names);
        let mut after = Uuid::nil();
        while !self.is_stopped.load(Ordering::Relaxed) {
            if self.is_closing_for(&step) {
                break;
            }
            let resources = self.page(&step, after).await?;
            let Some(last) = resources.last().and_then(|writes| writes.first()) else { break };
            after = last.resource_id;
            stream::iter(resources.into_iter().map(|writes| self.resource(&step, &writer, writes)))
                .buffer_unordered(RESOURCES)
                .try_collect::<()>()
                .await?;
        }
        self.finish(step).await
    }

    /// What the access level does not let be written is refused here, whoever asked for it.
    async fn refuse_below_level(
        &self,
        step: &operation_step::Model,
        subscription: &subscription::Model,
    ) -> Result<(), JobError> {
        if matches!(subscription.access_level, AccessLevel::WriteTags | AccessLevel::ResourcesOnly) {
            return Ok(());
        }
        let pending =
            self.pending(step).select_only().columns([tag_write::Column::Id, tag_write::Column::Name]);
        let pending: Vec<(Uuid, String)> = pending.into_tuple().all(&self.context.database).await?;
        let refused: Vec<Uuid> =
            pending.into_iter().filter(|(_, name)| !self.names.is_off(name)).map(|(id, _)| id).collect();
        for chunk in refused.chunks(500) {
            tag_write::Entity::update_many()
                .set(tag_write::ActiveModel {
                    outcome: Set(Some(Outcome::MissingRole)),
                    failure: Set(Some(failures::access_level_too_low())),
                    ended_at: Set(Some(self.context.clock.now())),
                    ..Default::default()
                })
                .filter(tag_write::Column::Id.is_in(chunk.iter().copied()))
                .exec(&self.context.database)
                .await?;
        }
        Ok(())
    }

    fn pending(&self, step: &operation_step::Model) -> sea_orm::Select<tag_write::Entity> {
        self.of_step(step).filter(tag_write::Column::Outcome.is_null())
    }

    fn of_step(&self, step: &operation_step::Model) -> sea_orm::Select<tag_write::Entity> {
        tag_write::Entity::owned_by(step.organization_id)
            .filter(tag_write::Column::ChangeSetId.eq(self.change_set.id))
            .filter(tag_write::Column::SubscriptionId.eq(step.subscription_id))
    }

    /// The next writes, by resource; those of one resource are never parted.
    async fn page(
        &self,
        step: &operation_step::Model,
        after: Uuid,
    ) -> Result<Vec<Vec<tag_write::Model>>, JobError> {
        let writes = self
            .pending(step)
            .filter(tag_write::Column::ResourceId.gt(after))
            .order_by_asc(tag_write::Column::ResourceId)
            .order_by_asc(tag_write::Column::Id)
            .limit(PAGE)
            .all(&self.context.database)
            .await?;
        let is_last = (writes.len() as u64) < PAGE;
        Ok(by_resource(writes, is_last))
    }

    async fn resource(
        &self,
        step: &operation_step::Model,
        writer: &Writer<'_>,
        of_resource: Vec<tag_write::Model>,
    ) -> Result<(), JobError> {
        if self.is_closing_for(step) || self.is_stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        let written = writer.write(of_resource).await?;
        {
            let mut wait = self.wait.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match written {
                Written::Done => {}
                Written::Throttled(pause) => {
                    wait.throttled = Some(wait.throttled.map_or(pause, |known| known.min(pause)));
                }
                Written::Unavailable(error) => wait.unavailable = Some(error),
            }
        }
        self.beat().await
    }

    /// Tells progress, at a bounded rate, and hears whether somebody asked for the operation to stop.
    async fn beat(&self) -> Result<(), JobError> {
        {
            let mut last = self.last_beat.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if last.elapsed() < BEAT {
                return Ok(());
            }
            *last = Instant::now();
        }
        if !operations::heartbeat(self.context, self.operation).await? {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
        self.watch_window().await
    }

    /// Whether the role that a step holds has to be taken away now.
    fn is_closing_for(&self, step: &operation_step::Model) -> bool {
        step.access_level.is_some() && self.is_closing.load(Ordering::Relaxed)
    }

    /// Ends the step if each of its writes has an outcome, or none can be done any more.
    async fn finish(&self, step: operation_step::Model) -> Result<(), JobError> {
        let counts: Vec<(Option<Outcome>, i64)> = self
            .of_step(&step)
            .filter(
                Condition::any()
                    .add(tag_write::Column::Outcome.is_null())
                    .add(tag_write::Column::Outcome.ne(Outcome::NotSent)),
            )
            .select_only()
            .column(tag_write::Column::Outcome)
            .expr_as(Expr::cust("count(*)"), "count")
            .group_by(tag_write::Column::Outcome)
            .into_tuple()
            .all(&self.context.database)
            .await?;
        let is_left = counts.iter().any(|(outcome, _)| outcome.is_none());
        if is_left && !self.is_closing_for(&step) {
            return Ok(());
        }
        let all: i64 = counts.iter().map(|(_, count)| count).sum();
        let done = counts.iter().filter(|(outcome, _)| outcome.is_some_and(|of| Outcome::DONE.contains(&of)));
        let done: i64 = done.map(|(_, count)| count).sum();
        let (outcome, mut failure) = ended(all, done);
        if is_left {
            failure = Some(failures::window_closes());
        }
        self.end(step, outcome, failure).await
    }

    /// Ends a step, unless somebody has meanwhile; one that holds a role goes on by putting that back.
    async fn end(
        &self,
        step: operation_step::Model,
        outcome: StepOutcome,
        failure: Option<Failure>,
    ) -> Result<(), JobError> {
        let state = if step.access_level.is_some() { State::Removing } else { State::Done };
        let ended = operation_step::ActiveModel {
            state: Set(state),
            outcome: Set(Some(outcome)),
            failure: Set(failure),
            updated_at: Set(self.context.clock.now()),
            ..Default::default()
        };
        operation_step::Entity::update_many()
            .set(ended)
            .filter(operation_step::Column::Id.eq(step.id))
            .filter(operation_step::Column::State.eq(State::Writing))
            .exec(&self.context.database)
            .await?;
        if state == State::Removing {
            operations::change_roles(self.context, self.operation).await?;
        }
        Ok(())
    }

    /// Looks whether the consent window is closed, or soon will be.
    async fn watch_window(&self) -> Result<(), JobError> {
        let is_closing = self.writable_for().await?.is_some_and(|left| left.is_zero());
        self.is_closing.store(is_closing, Ordering::Relaxed);
        Ok(())
    }

    /// How long a role can still be held; none: there is no consent under which one is.
    async fn writable_for(&self) -> Result<Option<Duration>, JobError> {
        let operation = self.operation;
        if operation.consent_id.is_none() {
            return Ok(None);
        }
        let closes_at =
            window::closes_at(self.context, operation.organization_id, operation.consent_id).await?;
        let left = closes_at.and_then(|at| (at - ROOM - self.context.clock.now()).to_std().ok());
        Ok(Some(left.unwrap_or_default()))
    }

    /// What is left has to be tried again later: while a role is held, no later than it has to be taken away.
    async fn take_wait(&self) -> Result<Option<JobError>, JobError> {
        let wait = std::mem::take(&mut *self.wait.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        Ok(match (wait.throttled, wait.unavailable) {
            // Being throttled is not failing: the operation's deadline bounds it.
            (Some(pause), _) => Some(JobError::RetryAfter(match self.writable_for().await? {
                Some(left) if self.holds_role().await? => pause.min(left),
                _ => pause,
            })),
            (None, Some(error)) => Some(JobError::Retry(error.into())),
            (None, None) => None,
        })
    }

    /// Whether some step holds a role for its writes.
    async fn holds_role(&self) -> Result<bool, JobError> {
        Ok(self.writing().await?.iter().any(|step| step.access_level.is_some()))
    }
}

fn ended(all: i64, done: i64) -> (StepOutcome, Option<Failure>) {
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    match done {
        done if done == all => (StepOutcome::Written, None),
        0 => (StepOutcome::Failed, Some(failures::not_all_written(count(all), count(all)))),
        done => (StepOutcome::PartlyWritten, Some(failures::not_all_written(count(all - done), count(all)))),
    }
}
