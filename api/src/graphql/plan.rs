//! A plan: what an operation will do about each subscription, told before it begins.

mod plan_access_change;
mod plan_onboarding;
mod planned_subscription;

use std::time::Duration;

use async_graphql::{Context, Object, Result, SimpleObject};
use entity::consent;
use entity::subscription;
use migration::wall;
use tokio::time::Instant;
use tracing::Instrument;
use worker::plan::{Aim, Asking, Extent, Inquiry, Window};
use worker::window;

pub use plan_access_change::PlanAccessChange;
pub use plan_onboarding::PlanOnboarding;

use super::estimate::{Estimate, count};
use super::operation::OperationStepOutcome;
use super::pager::{Listing, Paging};
use super::scalars::DateTime;
use super::scope::{Scope, internal};
use crate::permission::Permission;
use crate::services::Services;
use planned_subscription::PlannedSubscription;

/// How long a query waits for what Azure says: within the time that a query may take at all.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long questions are asked: their answers still have to come.
const ASKING: Duration = Duration::from_secs(5);

/// A plan.
pub struct Plan {
    plan: worker::plan::Plan,
    closes_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// How often something comes out.
#[derive(SimpleObject)]
#[graphql(name = "OutcomeCount")]
pub struct OutcomeCount {
    /// How a subscription ends.
    outcome: OperationStepOutcome,
    /// How many subscriptions end so.
    count: i32,
}

/// What an operation will do, told before it begins. Nothing is changed by asking for it.
#[Object(name = "Plan")]
impl Plan {
    /// What becomes of each subscription, by name.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn subscriptions(
        &self,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<PlannedSubscription>> {
        planned_subscription::list(&self.plan.subscriptions, &Paging { first, after, last, before })
    }

    /// How many subscriptions end in which way.
    async fn outcomes(&self) -> Vec<OutcomeCount> {
        let mut counts: Vec<(entity::operation_step::Outcome, u64)> = Vec::new();
        for one in &self.plan.subscriptions {
            match counts.iter_mut().find(|(outcome, _)| *outcome == one.outcome) {
                Some((_, found)) => *found += 1,
                None => counts.push((one.outcome, 1)),
            }
        }
        let counts = counts.into_iter();
        counts.map(|(outcome, found)| OutcomeCount { outcome: outcome.into(), count: count(found) }).collect()
    }

    /// What all of it takes.
    async fn estimate(&self) -> Estimate {
        (&self.plan.estimate).into()
    }

    /// When the consent window that was used closes; null if there was none: the plan is then made of what is known
    /// and assumed.
    async fn window_closes_at(&self) -> Option<DateTime> {
        self.closes_at.map(Into::into)
    }
}

/// What is to be planned.
struct Draft {
    aim: Aim,
    /// The subscriptions that are known.
    subscriptions: Vec<subscription::Model>,
    extent: Extent,
    /// The consent whose window may be used.
    consent: Option<consent::Model>,
}

/// Makes the plan, with the help of Azure where a window is open and the viewer may use it.
async fn draw(ctx: &Context<'_>, scope: Scope<'_>, draft: Draft) -> Result<Plan> {
    let organization_id = scope.viewer.organization_id;
    let database = scope.database();
    let Draft { aim, subscriptions, extent, consent } = draft;
    let known = worker::plan::known(database, organization_id, subscriptions).await;
    let asking = Asking::of(known.map_err(|error| internal(&error))?);
    let now = scope.services.clock.now();
    // Whoever may not start a consent makes no call in a consenting user's name.
    let may_ask = Scope::of(ctx, Permission::StartConsents).is_ok();
    let closes_at = match consent.filter(|_| may_ask) {
        Some(consent) => ask(scope, &consent, aim, extent, &asking).await,
        None => None,
    };
    // What was just asked tells how long a call takes now.
    let pace = worker::plan::pace(database, organization_id).await.map_err(|error| internal(&error))?;
    let mut facts = asking.facts();
    facts.sort_by_key(|one| (one.display_name.to_lowercase(), one.azure_subscription_id));
    let remaining = closes_at.map_or(consent::WINDOW, |closes_at| closes_at - now);
    let plan = worker::plan::Plan::of(aim, facts, pace, Window { remaining, now });
    Ok(Plan { plan, closes_at })
}

/// Asks Azure for a while. Calls that are under way then come to their end by themselves, so that each is in the
/// receipt with what became of it. Answers when the window closes; none: it cannot be used.
async fn ask(
    scope: Scope<'_>,
    consent: &consent::Model,
    aim: Aim,
    extent: Extent,
    asking: &Asking,
) -> Option<chrono::DateTime<chrono::Utc>> {
    let organization_id = scope.viewer.organization_id;
    let opened = window::open(scope.services, organization_id, Some(consent.id)).await;
    let opened = opened.inspect_err(
        |error| tracing::warn!(consent.id = %consent.id, ?error, "a window was not opened for a plan"),
    );
    let open = opened.ok().flatten()?;
    let inquiry = Inquiry {
        microsoft: scope.services.microsoft.clone(),
        user: open.user,
        user_id: consent.consenting_user_id,
        aim,
        extent,
        until: Instant::now() + ASKING,
    };
    let asked = ask_and_close(scope.services.clone(), consent.clone(), inquiry, asking.clone());
    let task = tokio::spawn(wall::within(Some(organization_id), asked).in_current_span());
    match tokio::time::timeout(PATIENCE, task).await {
        Ok(Ok(has_closed)) if has_closed => return None,
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, "a plan was not asked for"),
        Err(_) => tracing::info!("a plan is made of what Azure has said so far"),
    }
    Some(open.closes_at)
}

/// Asks, and closes the window if Microsoft refuses the token. True: it did.
async fn ask_and_close(
    services: Services,
    consent: consent::Model,
    inquiry: Inquiry,
    asking: Asking,
) -> bool {
    let Some(because) = worker::plan::ask(inquiry, asking).await else { return false };
    if let Err(error) = window::close(&services, &consent, because).await {
        tracing::error!(consent.id = %consent.id, %error, "a window was not closed");
    }
    true
}
