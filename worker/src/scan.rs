//! One scan of a batch of subscriptions: what Azure shows is compared with what is stored, page by page.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use entity::operation_step::{self, State};
use entity::{Failure, operation, subscription};
use futures::{StreamExt, TryStreamExt, stream};
use sea_orm::{ActiveModelTrait, DatabaseTransaction, DbErr, Set, Unchanged};
use uuid::Uuid;

use crate::change_set::Names;
use crate::context::Context;
use crate::inventory::{Inventory, Writer};
use crate::job::JobError;
use crate::{failures, operations, transaction};

/// How often progress is stored and told.
const BEAT: Duration = Duration::from_millis(250);

/// Inventories that are loaded at once: until they are, nothing is asked of Azure.
const AT_ONCE: usize = 8;

/// A subscription to scan, and the step that asks for it.
pub(crate) struct Target {
    pub(crate) step: operation_step::Model,
    pub(crate) subscription: subscription::Model,
}

/// A batch of subscriptions while it is scanned.
pub(crate) struct Scan<'a> {
    context: &'a Context,
    operation: &'a operation::Model,
    targets: Vec<(Target, Inventory)>,
    by_azure_id: HashMap<Uuid, usize>,
    writer: Writer,
    /// Targets whose progress is not stored yet.
    touched: HashSet<usize>,
    last_beat: Instant,
}

impl<'a> Scan<'a> {
    pub(crate) async fn start(
        context: &'a Context,
        operation: &'a operation::Model,
        targets: Vec<Target>,
    ) -> Result<Self, DbErr> {
        let names = &Names::load(&context.database, operation.organization_id).await?;
        let now = context.clock.now();
        let loads = targets.into_iter().map(|target| async move {
            let inventory = Inventory::load(&context.database, &target.subscription, names, now).await?;
            Ok::<_, DbErr>((target, inventory))
        });
        let loaded: Vec<(Target, Inventory)> = stream::iter(loads).buffered(AT_ONCE).try_collect().await?;
        let places = loaded.iter().enumerate();
        let by_azure_id =
            places.map(|(place, (target, _))| (target.subscription.azure_subscription_id, place)).collect();
        Ok(Self {
            context,
            operation,
            targets: loaded,
            by_azure_id,
            writer: Writer::new(context.database.clone()),
            touched: HashSet::new(),
            last_beat: Instant::now(),
        })
    }

    pub(crate) fn azure_ids(&self) -> Vec<Uuid> {
        self.targets.iter().map(|(target, _)| target.subscription.azure_subscription_id).collect()
    }

    pub(crate) fn into_targets(self) -> Vec<Target> {
        self.targets.into_iter().map(|(target, _)| target).collect()
    }

    /// Compares one page with what is stored, and stores what differs.
    pub(crate) async fn store(&mut self, page: Vec<microsoft::Resource>) -> Result<(), JobError> {
        let now = self.context.clock.now();
        let changed = page.into_iter().filter_map(|resource| {
            let index = *self.by_azure_id.get(&resource.subscription_id)?;
            self.touched.insert(index);
            self.targets[index].1.see(resource, now)
        });
        self.writer.take(changed).await
    }

    /// Tells progress, at a bounded rate. False: somebody asked for the operation to stop.
    pub(crate) async fn beat(&mut self) -> Result<bool, JobError> {
        if self.last_beat.elapsed() < BEAT {
            return Ok(true);
        }
        self.last_beat = Instant::now();
        self.tell().await?;
        operations::heartbeat(self.context, self.operation).await
    }

    /// Stores what was seen so far, and how far that is: also of an incomplete scan it is true.
    pub(crate) async fn keep(&mut self) -> Result<(), JobError> {
        self.writer.finish().await?;
        self.tell().await
    }

    async fn tell(&mut self) -> Result<(), JobError> {
        for index in std::mem::take(&mut self.touched) {
            let (target, inventory) = &self.targets[index];
            save_progress(self.context, &target.step, inventory).await?;
        }
        Ok(())
    }

    /// Every page of the batch was read. A subscription that `visible` still names was seen whole, so what
    /// it did not show is deleted; one that is missing was lost on the way and keeps its inventory.
    pub(crate) async fn complete(mut self, visible: &HashSet<Uuid>) -> Result<(), JobError> {
        self.keep().await?;
        let is_visible = |target: &Target| visible.contains(&target.subscription.azure_subscription_id);
        let (mut whole, lost): (Vec<_>, Vec<_>) =
            self.targets.iter().partition(|(target, _)| is_visible(target));
        // In the same order everywhere, so that nobody waits in a circle.
        whole.sort_by_key(|(target, _)| target.subscription.id);
        // While they are stored nothing is asked of Azure: a commit for each would cost more than its rows.
        let transaction = transaction::begin(&self.context.database).await?;
        for (target, inventory) in whole {
            complete_one(self.context, &transaction, target, inventory).await?;
        }
        transaction.commit().await?;
        for (target, _) in lost {
            Self::abandon(self.context, target, failures::access_lost()).await?;
        }
        operations::heartbeat(self.context, self.operation).await?;
        Ok(())
    }

    /// Ends a step whose subscription could not be read: the inventory stays, and says why it is old.
    pub(crate) async fn abandon(
        context: &Context,
        target: &Target,
        failure: Failure,
    ) -> Result<(), JobError> {
        let now = context.clock.now();
        let stale = subscription::ActiveModel {
            id: Unchanged(target.subscription.id),
            stale: Set(Some(failure.clone())),
            updated_at: Set(now),
            ..Default::default()
        };
        stale.update(&context.database).await?;
        let ended = operation_step::ActiveModel {
            id: Unchanged(target.step.id),
            state: Set(State::Done),
            failure: Set(Some(failure)),
            updated_at: Set(now),
            ..Default::default()
        };
        ended.update(&context.database).await?;
        Ok(())
    }
}

async fn complete_one(
    context: &Context,
    transaction: &DatabaseTransaction,
    target: &Target,
    inventory: &Inventory,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let deleted = inventory.delete_unseen(transaction, now).await?;
    let fresh = subscription::ActiveModel {
        id: Unchanged(target.subscription.id),
        resource_count: Set(inventory.seen),
        scanned_at: Set(Some(now)),
        stale: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    fresh.update(transaction).await?;
    let ended = operation_step::ActiveModel {
        id: Unchanged(target.step.id),
        state: Set(State::Done),
        scanned: Set(true),
        resources_seen: Set(inventory.seen),
        resources_written: Set(inventory.written),
        resources_deleted: Set(deleted),
        updated_at: Set(now),
        ..Default::default()
    };
    ended.update(transaction).await?;
    Ok(())
}

async fn save_progress(
    context: &Context,
    step: &operation_step::Model,
    inventory: &Inventory,
) -> Result<(), DbErr> {
    let progress = operation_step::ActiveModel {
        id: Unchanged(step.id),
        resources_seen: Set(inventory.seen),
        resources_written: Set(inventory.written),
        updated_at: Set(context.clock.now()),
        ..Default::default()
    };
    progress.update(&context.database).await?;
    Ok(())
}
