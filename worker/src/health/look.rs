//! Looks, as the service principal, at everything that was granted in a tenant.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use entity::operation_step;
use entity::subscription::{self, AccessLevel};
use entity::{Failure, Owned, tenant};
use futures::{FutureExt, StreamExt};
use microsoft::{Audience, Caller, Freshness, MicrosoftError, Role, Subscription, SubscriptionState};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::{Finding, reasons};
use crate::access::telling_action;
use crate::context::Context;
use crate::{failures, office};

/// How long before our client secret expires that is told.
const WARNING: TimeDelta = TimeDelta::days(30);

/// Subscriptions that are asked about at the same time: each has a budget of its own.
const AT_ONCE: usize = 8;

/// What a look at a tenant found.
#[derive(Default)]
pub(crate) struct Sight {
    pub(super) found: Vec<Finding>,
    /// Whether nothing was learnt of the tenant as a whole.
    pub(super) is_tenant_unknown: bool,
    /// The subscriptions that were looked at, as they were then.
    pub(super) stored: HashMap<Uuid, subscription::Model>,
    /// Those of which nothing could be learnt.
    pub(super) unknown: HashSet<Uuid>,
    /// How Azure shows those that were seen.
    pub(super) seen: HashMap<Uuid, Subscription>,
    /// Why not everything could be learnt.
    pub(crate) missed: Option<MicrosoftError>,
}

impl Sight {
    fn miss(&mut self, error: MicrosoftError) {
        // What passes by itself is looked at again at once.
        if self.missed.as_ref().is_none_or(|known| error.retryable() && !known.retryable()) {
            self.missed = Some(error);
        }
    }

    fn see_nothing(&mut self) {
        self.unknown = self.stored.keys().copied().collect();
    }
}

/// Looks at everything that was granted; what is being changed just now is left alone.
pub(crate) async fn look(context: &Context, tenant: &tenant::Model) -> Result<Sight, DbErr> {
    let mut sight = Sight { stored: granted(context, tenant).await?, ..Sight::default() };
    let now = context.clock.now();
    if let Some(at) = context.client_secret_expires_at.filter(|at| *at - WARNING <= now) {
        sight.found.push(Finding::warning(reasons::secret_expires(at, now)));
    }
    if sight.stored.is_empty() && !is_any_granted(context, tenant).await? {
        sight.found.push(Finding::of_tenant(failures::nothing_granted()));
    }
    if look_at_principal(context, tenant, &mut sight).await {
        look_at_subscriptions(context, tenant, &mut sight).await;
    } else {
        sight.see_nothing();
    }
    Ok(sight)
}

/// Whether there is a token to look any further with.
async fn look_at_principal(context: &Context, tenant: &tenant::Model, sight: &mut Sight) -> bool {
    let login = context.microsoft.login();
    match login.app_token(tenant.entra_tenant_id, Audience::Arm, Freshness::Fresh).await {
        Ok(token) => {
            if tenant.principal_id.is_some_and(|known| known != token.principal_id) {
                sight.found.push(Finding::of_tenant(reasons::principal_recreated()));
            }
            true
        }
        Err(error) => {
            if let Some(failure) = of_no_token(&error) {
                sight.found.push(Finding::of_tenant(failure));
            } else {
                sight.is_tenant_unknown = true;
                sight.miss(error);
            }
            false
        }
    }
}

/// What it means that there is no token, if it means anything lasting.
fn of_no_token(error: &MicrosoftError) -> Option<Failure> {
    match error {
        MicrosoftError::NotFound { .. } => Some(reasons::tenant_gone()),
        MicrosoftError::ConsentWithdrawn { .. }
        | MicrosoftError::Misconfigured { .. }
        | MicrosoftError::InteractionRequired { .. } => Some(failures::of_microsoft(error)),
        _ => None,
    }
}

async fn look_at_subscriptions(context: &Context, tenant: &tenant::Model, sight: &mut Sight) {
    let caller = Caller::App { tenant: tenant.entra_tenant_id };
    let listed = match context.microsoft.arm().subscriptions(&caller).await {
        Ok(listed) => listed,
        // Who has no role anywhere may be refused the list.
        Err(MicrosoftError::Forbidden { .. }) => Vec::new(),
        Err(error) => {
            sight.see_nothing();
            return sight.miss(error);
        }
    };
    let listed: HashMap<_, _> = listed.into_iter().map(|one| (one.subscription_id, one)).collect();
    let subject = |stored: &subscription::Model| Subject {
        context,
        caller: caller.clone(),
        listed: listed.get(&stored.azure_subscription_id).cloned(),
        stored: stored.clone(),
    };
    let subjects: Vec<_> = sight.stored.values().map(subject).collect();
    let looks: Vec<_> = subjects.into_iter().map(|subject| subject.examine().boxed()).collect();
    let mut looks = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some((id, learnt)) = looks.next().await {
        match learnt {
            Ok(Learnt { seen, wrong }) => {
                sight.found.extend(wrong.into_iter().map(|failure| Finding::of_subscription(id, failure)));
                sight.seen.extend(seen.map(|seen| (id, seen)));
            }
            Err(error) => {
                sight.unknown.insert(id);
                sight.miss(error);
            }
        }
    }
}

/// What was learnt of one subscription.
struct Learnt {
    seen: Option<Subscription>,
    wrong: Vec<Failure>,
}

/// A subscription to look at.
struct Subject<'a> {
    context: &'a Context,
    caller: Caller,
    /// As the list shows it, if it does.
    listed: Option<Subscription>,
    stored: subscription::Model,
}

impl Subject<'_> {
    async fn examine(self) -> (Uuid, Result<Learnt, MicrosoftError>) {
        (self.stored.id, self.learn().await)
    }

    async fn learn(&self) -> Result<Learnt, MicrosoftError> {
        let azure_id = self.stored.azure_subscription_id;
        let lost = |failure| Ok(Learnt { seen: None, wrong: vec![failure] });
        let seen = match self.listed.clone() {
            Some(listed) => listed,
            // A list that answers may still be incomplete; and it does not say why something is missing.
            None => match self.context.microsoft.arm().subscription(&self.caller, azure_id).await {
                Ok(seen) => seen,
                Err(MicrosoftError::NotFound { .. }) => return lost(reasons::subscription_deleted()),
                Err(MicrosoftError::WrongTenant { .. }) => return lost(reasons::subscription_moved()),
                Err(MicrosoftError::Forbidden { .. }) => return lost(reasons::role_removed()),
                Err(error) => return Err(error),
            },
        };
        if seen.tenant_id != self.caller.tenant() {
            return lost(reasons::subscription_moved());
        }
        let mut wrong = Vec::new();
        if matches!(seen.state, SubscriptionState::Disabled | SubscriptionState::Deleted) {
            wrong.push(reasons::subscription_disabled());
        }
        if self.stored.access_level == AccessLevel::WriteTags && !self.may_write(azure_id).await? {
            wrong.push(reasons::write_role_removed());
        }
        Ok(Learnt { seen: Some(seen), wrong })
    }

    /// Being seen says nothing of what writing takes.
    async fn may_write(&self, azure_id: Uuid) -> Result<bool, MicrosoftError> {
        match self.context.microsoft.arm().effective_permissions(&self.caller, azure_id).await {
            Ok(permissions) => Ok(permissions.allows(telling_action(Role::TagContributor))),
            Err(MicrosoftError::Forbidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The subscriptions that were granted, but for those whose roles are being changed just now.
async fn granted(
    context: &Context,
    tenant: &tenant::Model,
) -> Result<HashMap<Uuid, subscription::Model>, DbErr> {
    let changing =
        operation_step::Entity::changing().select_only().column(operation_step::Column::SubscriptionId);
    let granted = with_access(tenant)
        .filter(subscription::Column::Id.not_in_subquery(changing.into_query()))
        .all(&context.database)
        .await?;
    Ok(granted.into_iter().map(|found| (found.id, found)).collect())
}

async fn is_any_granted(context: &Context, tenant: &tenant::Model) -> Result<bool, DbErr> {
    Ok(with_access(tenant).one(&context.database).await?.is_some()
        || office::is_connected(context, tenant).await?)
}

fn with_access(tenant: &tenant::Model) -> sea_orm::Select<subscription::Entity> {
    subscription::Entity::owned_by(tenant.organization_id)
        .filter(subscription::Column::TenantId.eq(tenant.id))
        .filter(subscription::Column::AccessLevel.ne(AccessLevel::None))
}
