//! Takes inventory of every subscription of an operation that can be read.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use entity::operation_step::{self, State};
use entity::{Owned, operation, role_assignment, subscription, tenant};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use microsoft::{Caller, MicrosoftError, Resource, Role};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::scan::{Scan, Target};
use crate::{access, failures, operations, taggable};

/// Subscriptions that one Resource Graph query names; Microsoft advises no more than 300.
const BATCH: u64 = 300;

/// Scans every step of an operation that stands at `SCANNING`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScanSubscriptions {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The operation.
    pub operation_id: Uuid,
}

impl Job for ScanSubscriptions {
    const NAME: &'static str = "scan-subscriptions";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 20;
    /// The largest scans take as long as an operation may.
    const TIMEOUT: Duration = Duration::from_hours(6);
    type Context = Context;

    fn key(&self) -> String {
        self.operation_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let begun = operations::begin(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = begun else { return Ok(()) };
        loop {
            let targets = targets(context, &operation).await?;
            if targets.is_empty() {
                return operations::settle(context, &operation).await;
            }
            if !scan(context, &operation, targets).await? {
                // Cancelled: the next look at the operation ends it.
                operations::begin(context, self.organization_id, self.operation_id).await?;
                return Ok(());
            }
        }
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        let found = operations::find(context, self.organization_id, self.operation_id).await?;
        let Some(operation) = found.filter(|operation| !operation.state.is_final()) else { return Ok(()) };
        let failure = failures::of_job(why);
        loop {
            let targets = targets(context, &operation).await?;
            if targets.is_empty() {
                operations::settle(context, &operation).await?;
                return Ok(());
            }
            for target in targets {
                Scan::abandon(context, &target, failure.clone()).await?;
            }
        }
    }
}

/// The next steps that wait to be scanned.
async fn targets(context: &Context, operation: &operation::Model) -> Result<Vec<Target>, JobError> {
    let steps = operation_step::Entity::owned_by(operation.organization_id)
        .filter(operation_step::Column::OperationId.eq(operation.id))
        .filter(operation_step::Column::State.eq(State::Scanning))
        .order_by_asc(operation_step::Column::Id)
        .limit(BATCH)
        .all(&context.database)
        .await?;
    let ids = steps.iter().map(|step| step.subscription_id);
    let subscriptions = subscription::Entity::owned_by(operation.organization_id)
        .filter(subscription::Column::Id.is_in(ids))
        .all(&context.database)
        .await?;
    let mut by_id: HashMap<Uuid, _> = subscriptions.into_iter().map(|found| (found.id, found)).collect();
    let targets = steps.into_iter().filter_map(|step| {
        let subscription = by_id.remove(&step.subscription_id)?;
        Some(Target { step, subscription })
    });
    Ok(targets.collect())
}

/// Scans one batch. False: somebody asked for the operation to stop.
async fn scan(
    context: &Context,
    operation: &operation::Model,
    targets: Vec<Target>,
) -> Result<bool, JobError> {
    let tenant = tenant::Entity::owned_by(operation.organization_id)
        .filter(tenant::Column::Id.eq(operation.tenant_id))
        .one(&context.database)
        .await?
        .ok_or_else(|| JobError::Fail(anyhow::anyhow!("the operation's tenant is gone")))?;
    let entra_tenant_id = tenant.entra_tenant_id;
    // One that is missing from this list would look like an empty one to Resource Graph.
    let visible = access::visible(context, entra_tenant_id).await?;
    let (present, lost): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|target| visible.contains(&target.subscription.azure_subscription_id));
    for target in lost {
        Scan::abandon(context, &target, failures::access_lost()).await?;
    }
    taggable::learn(context, entra_tenant_id, &present).await?;
    let readers = readers(context, operation, &present).await?;
    let (graph, listed): (Vec<_>, Vec<_>) =
        present.into_iter().partition(|target| readers.contains(&target.subscription.id));
    let reach = Reach { context, operation, entra_tenant_id };
    if !graph.is_empty() && !reach.read(Source::ResourceGraph, graph).await? {
        return Ok(false);
    }
    for target in listed {
        if !reach.read(Source::ResourceManager, vec![target]).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Those of `targets` where Reader is held: Resource Graph shows nothing to Tag Contributor alone.
async fn readers(
    context: &Context,
    operation: &operation::Model,
    targets: &[Target],
) -> Result<HashSet<Uuid>, JobError> {
    let assignments = role_assignment::Entity::owned_by(operation.organization_id)
        .filter(
            role_assignment::Column::SubscriptionId
                .is_in(targets.iter().map(|target| target.subscription.id)),
        )
        .filter(role_assignment::Column::RoleDefinitionId.eq(Role::Reader.definition_id()))
        .all(&context.database)
        .await?;
    Ok(assignments.into_iter().map(|assignment| assignment.subscription_id).collect())
}

/// Where resources are read from.
#[derive(Clone, Copy)]
enum Source {
    ResourceGraph,
    ResourceManager,
}

struct Reach<'a> {
    context: &'a Context,
    operation: &'a operation::Model,
    entra_tenant_id: Uuid,
}

impl Reach<'_> {
    /// Reads and stores `targets`. What fails for good is halved until the one at fault stands alone, so
    /// that one bad subscription never blocks another. False: somebody asked for the operation to stop.
    fn read(&self, source: Source, targets: Vec<Target>) -> BoxFuture<'_, Result<bool, JobError>> {
        async move {
            let mut scan = Scan::start(self.context, self.operation, targets).await?;
            match self.pages(source, &mut scan).await {
                Ok(()) => {
                    let visible = access::visible(self.context, self.entra_tenant_id).await?;
                    scan.complete(&visible).await?;
                    Ok(true)
                }
                Err(Stopped::Cancelled) => {
                    scan.keep().await?;
                    Ok(false)
                }
                Err(Stopped::Job(error)) => {
                    scan.keep().await?;
                    Err(error)
                }
                Err(Stopped::Microsoft(error)) => {
                    scan.keep().await?;
                    // A list that ends early may do so again and again, for one subscription's sake.
                    let is_of_one = matches!(error, MicrosoftError::Incomplete { .. });
                    if error.retryable() && !is_of_one {
                        return Err(error.into());
                    }
                    self.halve(source, scan.into_targets(), &error).await
                }
            }
        }
        .boxed()
    }

    async fn halve(
        &self,
        source: Source,
        mut targets: Vec<Target>,
        error: &MicrosoftError,
    ) -> Result<bool, JobError> {
        if let [target] = targets.as_slice() {
            Scan::abandon(self.context, target, failures::of_microsoft(error)).await?;
            return Ok(true);
        }
        let second = targets.split_off(targets.len() / 2);
        Ok(self.read(source, targets).await? && self.read(source, second).await?)
    }

    async fn pages(&self, source: Source, scan: &mut Scan<'_>) -> Result<(), Stopped> {
        let mut pages = self.stream(source, scan.azure_ids());
        while let Some(page) = pages.next().await {
            scan.store(page.map_err(Stopped::Microsoft)?).await.map_err(Stopped::Job)?;
            if !scan.beat().await.map_err(Stopped::Job)? {
                return Err(Stopped::Cancelled);
            }
        }
        Ok(())
    }

    fn stream(
        &self,
        source: Source,
        subscriptions: Vec<Uuid>,
    ) -> BoxStream<'static, Result<Vec<Resource>, MicrosoftError>> {
        let arm = self.context.microsoft.arm().clone();
        let caller = Caller::App { tenant: self.entra_tenant_id };
        match source {
            Source::ResourceGraph => {
                let containers = arm.containers_graph(caller.clone(), subscriptions.clone());
                containers.chain(arm.resource_graph(caller, subscriptions)).boxed()
            }
            Source::ResourceManager => {
                let lists = subscriptions.into_iter().map(|id| {
                    let containers = arm.containers(caller.clone(), id);
                    containers.chain(arm.resources(caller.clone(), id)).boxed()
                });
                futures::stream::iter(lists.collect::<Vec<_>>()).flatten().boxed()
            }
        }
    }
}

/// Why the pages ended early.
enum Stopped {
    Cancelled,
    Microsoft(MicrosoftError),
    Job(JobError),
}
