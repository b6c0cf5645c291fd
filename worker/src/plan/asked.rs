//! What Azure says of subscriptions, asked in the consenting user's name. Nothing is changed by that.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use entity::consent::Closed;
use entity::subscription::AccessLevel;
use entity::{Failure, operation_step::Outcome};
use futures::StreamExt;
use microsoft::{Audience, Caller, Freshness, Microsoft, MicrosoftError, Role};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Aim, Facts, Rights};
use crate::jobs::azure_state;
use crate::{access, failures, window};

/// Subscriptions that are asked about at once.
const AT_ONCE: usize = 16;

/// Subscriptions whose resources are counted by one query.
const BATCH: usize = 300;

/// Whom is asked, for what, and until when.
#[derive(Clone)]
pub struct Inquiry {
    /// Microsoft's clouds.
    pub microsoft: Microsoft,
    /// The consenting user, by an open window.
    pub user: Caller,
    /// The consenting user's object id, if it is known.
    pub user_id: Option<Uuid>,
    /// What is planned.
    pub aim: Aim,
    /// Which subscriptions are planned for.
    pub extent: Extent,
    /// No question is asked after that.
    pub until: Instant,
}

/// Which subscriptions are planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Whatever the consenting user sees.
    Seen,
    /// Of that, what is known.
    SeenAndKnown,
    /// Those that were named, seen or not.
    Named,
}

/// Facts that are being asked for: whoever does not wait takes what there is so far.
#[derive(Clone)]
pub struct Asking(Arc<Mutex<Vec<Facts>>>);

impl Asking {
    /// Begins with what is known.
    pub fn of(facts: Vec<Facts>) -> Self {
        Self(Arc::new(Mutex::new(facts)))
    }

    /// What is known by now.
    pub fn facts(&self) -> Vec<Facts> {
        self.with(|facts| facts.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Facts>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn update(&self, azure_subscription_id: Uuid, change: impl FnOnce(&mut Facts)) {
        self.with(|facts| {
            let found = facts.iter_mut().find(|one| one.azure_subscription_id == azure_subscription_id);
            if let Some(found) = found {
                change(found);
            }
        });
    }
}

/// Asks. What is not answered stays as it is known; an error ends the asking, and is no error of the plan. Answers why
/// the window is of no use any more, if Microsoft said so.
pub async fn ask(inquiry: Inquiry, asking: Asking) -> Option<Closed> {
    let error = ask_all(&inquiry, &asking).await.err()?;
    tracing::info!(%error, "Microsoft was asked for a plan, and did not tell everything");
    window::closed_by(&error)
}

async fn ask_all(inquiry: &Inquiry, asking: &Asking) -> Result<(), MicrosoftError> {
    if inquiry.aim == Aim::Onboard {
        find(inquiry, asking).await?;
        see(inquiry, asking).await?;
    }
    let tenant = inquiry.user.tenant();
    let token = inquiry.microsoft.login().app_token(tenant, Audience::Arm, Freshness::Cached).await?;
    futures::future::join(count(inquiry, asking), each(inquiry, asking, token.principal_id)).await.1
}

/// What the consenting user sees now.
async fn find(inquiry: &Inquiry, asking: &Asking) -> Result<(), MicrosoftError> {
    let tenant = inquiry.user.tenant();
    let listed = inquiry.microsoft.arm().subscriptions(&inquiry.user).await?;
    let mut found: HashMap<_, _> = listed
        .into_iter()
        .filter(|one| one.tenant_id == tenant)
        .map(|one| (one.subscription_id, one))
        .collect();
    asking.with(|facts| {
        for known in facts.iter_mut() {
            let seen = found.remove(&known.azure_subscription_id);
            known.is_seen = Some(seen.is_some());
            if let Some(seen) = seen {
                known.azure_state = azure_state(&seen.state);
                known.display_name = seen.display_name;
            } else {
                known.is_asked = true;
            }
        }
        if inquiry.extent != Extent::Named {
            facts.retain(|known| known.is_seen == Some(true));
        }
        if inquiry.extent == Extent::Seen {
            facts.extend(found.into_values().map(new));
        }
        // What is shown first is asked for first.
        facts.sort_by_cached_key(|one| (one.display_name.to_lowercase(), one.azure_subscription_id));
    });
    Ok(())
}

fn new(found: microsoft::Subscription) -> Facts {
    Facts {
        azure_subscription_id: found.subscription_id,
        subscription_id: None,
        azure_state: azure_state(&found.state),
        display_name: found.display_name,
        access_level: AccessLevel::None,
        is_read: false,
        is_seen: Some(true),
        direct: Vec::new(),
        inherited: Vec::new(),
        ours: Vec::new(),
        rights: None,
        refusal: None,
        resources: None,
        is_asked: false,
    }
}

/// Whether the service principal still sees what it was granted: a consent is needed only where that was lost.
async fn see(inquiry: &Inquiry, asking: &Asking) -> Result<(), MicrosoftError> {
    if asking.with(|facts| facts.iter().all(|one| !one.is_read)) {
        return Ok(());
    }
    let caller = Caller::FreshApp { tenant: inquiry.user.tenant() };
    let visible: HashSet<_> = match inquiry.microsoft.arm().subscriptions(&caller).await {
        Ok(visible) => visible.into_iter().map(|one| one.subscription_id).collect(),
        Err(MicrosoftError::Forbidden { .. }) => HashSet::new(),
        Err(error) => return Err(error),
    };
    asking.with(|facts| {
        for one in facts.iter_mut().filter(|one| one.is_read) {
            one.is_read = visible.contains(&one.azure_subscription_id);
            one.is_asked |= one.is_read;
        }
    });
    Ok(())
}

/// How many resources there are where nobody has counted them.
async fn count(inquiry: &Inquiry, asking: &Asking) {
    let uncounted: Vec<_> = asking.with(|facts| {
        let uncounted = facts.iter().filter(|one| one.resources.is_none() && one.is_seen != Some(false));
        uncounted.map(|one| one.azure_subscription_id).collect()
    });
    let counted = counts(&inquiry.microsoft, &inquiry.user, &uncounted).await;
    asking.with(|facts| {
        for one in facts.iter_mut().filter(|one| one.resources.is_none()) {
            one.resources = counted.get(&one.azure_subscription_id).copied();
        }
    });
}

/// How many resources these have, as far as the consenting user reads them. What Azure does not tell, or not yet because
/// the quota of queries is spent, is missing.
pub(super) async fn counts(microsoft: &Microsoft, user: &Caller, uncounted: &[Uuid]) -> HashMap<Uuid, u64> {
    let mut counts = HashMap::new();
    for group in uncounted.chunks(BATCH) {
        match microsoft.arm().resource_counts(user, group).await {
            // What has no row has no resource.
            Ok(counted) => {
                counts.extend(group.iter().map(|id| (*id, counted.get(id).copied().unwrap_or_default())))
            }
            Err(error) => {
                tracing::info!(%error, counted = counts.len(), "not all resources were counted");
                break;
            }
        }
    }
    counts
}

/// Asks about each subscription that something is to be done about.
async fn each(inquiry: &Inquiry, asking: &Asking, principal_id: Uuid) -> Result<(), MicrosoftError> {
    let open: Vec<_> = asking.with(|facts| facts.iter().filter(|one| !one.is_asked).cloned().collect());
    let mut answers = futures::stream::iter(open)
        .map(|facts| async move {
            if Instant::now() >= inquiry.until {
                return Ok(None);
            }
            let question = Question { inquiry, principal_id, facts };
            question.ask().await.map(Some)
        })
        .buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        if let Some(answer) = answer? {
            asking.update(answer.azure_subscription_id, |facts| answer.write(facts));
        }
    }
    Ok(())
}

struct Question<'a> {
    inquiry: &'a Inquiry,
    principal_id: Uuid,
    facts: Facts,
}

struct Answer {
    azure_subscription_id: Uuid,
    roles: Option<(Vec<Role>, Vec<Role>)>,
    rights: Option<Rights>,
    refusal: Option<(Outcome, Failure)>,
}

impl Answer {
    fn write(self, facts: &mut Facts) {
        if let Some((direct, inherited)) = self.roles {
            (facts.direct, facts.inherited) = (direct, inherited);
        }
        (facts.rights, facts.refusal) = (self.rights, self.refusal);
        facts.is_asked = true;
    }
}

impl Question<'_> {
    /// A refusal that says something of this subscription alone is an answer.
    async fn ask(mut self) -> Result<Answer, MicrosoftError> {
        let azure_subscription_id = self.facts.azure_subscription_id;
        let answer = Answer { azure_subscription_id, roles: None, rights: None, refusal: None };
        match self.roles_and_rights().await {
            Ok((direct, inherited, rights)) => {
                Ok(Answer { roles: Some((direct, inherited)), rights, ..answer })
            }
            Err(error) if error.retryable() || window::closed_by(&error).is_some() => Err(error),
            Err(error @ MicrosoftError::WindowClosed { .. }) => Err(error),
            Err(error) => {
                let refusal = (access::outcome_of_refusal(&error), failures::of_microsoft(&error));
                Ok(Answer { refusal: Some(refusal), ..answer })
            }
        }
    }

    async fn roles_and_rights(&mut self) -> Result<(Vec<Role>, Vec<Role>, Option<Rights>), MicrosoftError> {
        let (direct, inherited) = self.roles().await?;
        (self.facts.direct, self.facts.inherited) = (direct.clone(), inherited.clone());
        let rights = if self.needs_rights() { Some(self.rights().await?) } else { None };
        Ok((direct, inherited, rights))
    }

    async fn roles(&self) -> Result<(Vec<Role>, Vec<Role>), MicrosoftError> {
        let azure_id = self.facts.azure_subscription_id;
        let (arm, user) = (self.inquiry.microsoft.arm(), &self.inquiry.user);
        let held = match arm.role_assignments(user, azure_id, self.principal_id).await {
            Ok(held) => held,
            Err(MicrosoftError::Forbidden { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let (above, here): (Vec<_>, Vec<_>) = held.into_iter().partition(|one| one.is_inherited_at(azure_id));
        let roles = |held: Vec<microsoft::RoleAssignment>| held.into_iter().map(|one| one.role).collect();
        Ok((roles(here), roles(above)))
    }

    /// Whether anything is to be changed that the subscription's state does not forbid anyway.
    fn needs_rights(&self) -> bool {
        let needed = match self.inquiry.aim {
            Aim::Onboard => None,
            Aim::Change { level, keep_reader } => Some(access::roles_of(level, keep_reader)),
        };
        let wanted = access::wanted(needed, |role| self.facts.has(role));
        let is_swap = needed.is_some() && self.facts.direct.iter().any(|role| !wanted.contains(role));
        let is_change = is_swap || wanted.iter().any(|role| !self.facts.has(*role));
        is_change && !access::is_frozen(self.facts.azure_state)
    }

    async fn rights(&self) -> Result<Rights, MicrosoftError> {
        let azure_id = self.facts.azure_subscription_id;
        let (arm, user) = (self.inquiry.microsoft.arm(), &self.inquiry.user);
        let permissions = match arm.effective_permissions(user, azure_id).await {
            Ok(permissions) => permissions,
            Err(MicrosoftError::Forbidden { .. }) => microsoft::Permissions::default(),
            Err(error) => return Err(error),
        };
        let mut rights = Rights {
            may_assign: access::is_permitted(&permissions, false),
            may_remove: access::is_permitted(&permissions, true),
            owner_of: Vec::new(),
            principal_id: self.principal_id,
            room: None,
        };
        if rights.may_assign {
            let owner_of = async {
                let Some(user_id) = self.inquiry.user_id else { return Ok(Vec::new()) };
                arm.owners(user, azure_id, Some(user_id)).await
            };
            let (owner_of, usage) =
                futures::future::join(owner_of, arm.role_assignment_usage(user, azure_id)).await;
            rights.owner_of = told(owner_of)?.unwrap_or_default();
            rights.room = told(usage)?.map(|usage| usage.limit.saturating_sub(usage.count));
        }
        Ok(rights)
    }
}

/// What is good to know, and no reason to stop if Azure does not tell it.
fn told<T>(answer: Result<T, MicrosoftError>) -> Result<Option<T>, MicrosoftError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.retryable() || window::closed_by(&error).is_some() => Err(error),
        Err(_) => Ok(None),
    }
}
