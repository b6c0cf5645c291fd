//! What is so after an act: what the cloud got and holds, and what our rows say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use entity::subscription::AccessLevel;
use entity::{Owned, consent, delegated_call, operation, operation_step, role_assignment, subscription};
use sea_orm::QueryOrder;
use simulator::{BuiltInRole, Call, Holding};
use uuid::Uuid;

use super::ground::Stage;

/// What is so at a time. Subscriptions are named as Azure names them.
pub struct Facts {
    /// Every call in a consenting user's name.
    pub calls: Vec<Call>,
    pub receipt: HashMap<Uuid, delegated_call::Model>,
    pub consents: HashMap<Uuid, consent::Model>,
    pub operations: Vec<operation::Model>,
    /// By subscription, the oldest first.
    pub steps: BTreeMap<Uuid, Vec<operation_step::Model>>,
    /// What our rows say is held, by subscription.
    pub rows: BTreeMap<Uuid, Vec<role_assignment::Model>>,
    pub levels: BTreeMap<Uuid, AccessLevel>,
    /// What Azure holds, by subscription.
    pub holdings: BTreeMap<Uuid, Vec<Holding>>,
    /// Roles that our service principal has above a subscription.
    above: BTreeMap<Uuid, Vec<BuiltInRole>>,
    /// Subscriptions that are still in the tenant.
    pub here: BTreeSet<Uuid>,
}

impl Facts {
    pub async fn read(stage: &Stage) -> Result<Self> {
        let (database, organization_id) = (&stage.database, stage.member.organization_id);
        let users: HashSet<_> = stage.simulator.users().iter().map(|user| user.object_id).collect();
        let calls = stage.simulator.calls().into_iter();
        let calls = calls.filter(|call| call.principal.is_some_and(|id| users.contains(&id))).collect();
        let receipt = delegated_call::Entity::owned_by(organization_id).all(database).await?;
        let consents = consent::Entity::owned_by(organization_id).all(database).await?;
        let operations = operation::Entity::owned_by(organization_id)
            .order_by_asc(operation::Column::CreatedAt)
            .order_by_asc(operation::Column::Id)
            .all(database)
            .await?;
        let known = subscription::Entity::owned_by(organization_id).all(database).await?;
        let azure: HashMap<_, _> = known.iter().map(|one| (one.id, one.azure_subscription_id)).collect();
        let order: HashMap<_, _> = operations.iter().zip(0..).map(|(one, number)| (one.id, number)).collect();
        let mut steps = operation_step::Entity::owned_by(organization_id).all(database).await?;
        steps.sort_by_key(|step| order.get(&step.operation_id).copied().unwrap_or(0));
        let rows = role_assignment::Entity::owned_by(organization_id).all(database).await?;
        let holdings = stage.subscriptions.iter().map(|id| (*id, stage.simulator.holdings(*id)));
        Ok(Self {
            calls,
            receipt: receipt.into_iter().map(|call| (call.id, call)).collect(),
            consents: consents.into_iter().map(|consent| (consent.id, consent)).collect(),
            operations,
            steps: by_subscription(steps, &azure, |step| step.subscription_id),
            rows: by_subscription(rows, &azure, |row| row.subscription_id),
            levels: known.iter().map(|one| (one.azure_subscription_id, one.access_level)).collect(),
            holdings: holdings.collect(),
            above: stage.others.borrow().above.clone(),
            here: stage.simulator.subscriptions().iter().map(|one| one.id).collect(),
        })
    }

    /// What Azure holds there and we assigned.
    pub fn ours(&self, at: Uuid) -> impl Iterator<Item = &Holding> {
        self.holdings.get(&at).into_iter().flatten().filter(|held| held.assigned_by.is_some())
    }

    /// The roles that are held there, whoever assigned them.
    pub fn roles(&self, at: Uuid) -> Vec<BuiltInRole> {
        self.holdings.get(&at).into_iter().flatten().map(|held| held.role).collect()
    }

    /// The roles that work there, those from above too.
    pub fn effective(&self, at: Uuid) -> Vec<BuiltInRole> {
        let above = self.above.get(&at).into_iter().flatten().copied();
        self.roles(at).into_iter().chain(above).collect()
    }

    /// Names of the assignments that our rows say are ours.
    pub fn ours_by_rows(&self, at: Uuid) -> BTreeSet<Uuid> {
        let rows = self.rows.get(&at).into_iter().flatten();
        let ours = rows.filter(|row| row.origin == role_assignment::Origin::Ours);
        ours.filter_map(|row| Uuid::try_parse(row.arm_id.rsplit('/').next()?).ok()).collect()
    }

    /// The last step about a subscription.
    pub fn last_step(&self, at: Uuid) -> Option<&operation_step::Model> {
        self.steps.get(&at)?.last()
    }
}

fn by_subscription<T>(
    rows: Vec<T>,
    azure: &HashMap<Uuid, Uuid>,
    of: impl Fn(&T) -> Uuid,
) -> BTreeMap<Uuid, Vec<T>> {
    let mut sorted: BTreeMap<Uuid, Vec<T>> = BTreeMap::new();
    for row in rows {
        if let Some(at) = azure.get(&of(&row)) {
            sorted.entry(*at).or_default().push(row);
        }
    }
    sorted
}
