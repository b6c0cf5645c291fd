//! The query `planOnboarding`: what an onboarding will do.

use async_graphql::{Context, ID, Object, Result};
use entity::{Work, consent, subscription, tenant};
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use uuid::Uuid;
use worker::plan::{Aim, Extent};
use worker::window::READ;

use super::{Draft, Plan, draw};
use crate::error::ErrorCode;
use crate::graphql::consent::open_windows;
use crate::graphql::ids::Kind;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct PlanOnboarding;

#[Object(name = "PlanOnboardingQuery")]
impl PlanOnboarding {
    /// What an onboarding will do about each subscription, which calls that takes and how long; null if there is no
    /// such tenant or consent. While a consent window is open, Azure is asked in the consenting user's name, for a
    /// few seconds at most, and nothing is changed there; each call is in the consent's receipt. That needs the role
    /// `EDITOR`, or the scope `consents:write`; whoever lacks it is told what is known. A consent that begins
    /// nothing by itself keeps its window open for this.
    /// Needs the role `VIEWER`, or the scope `consents:read`.
    async fn plan_onboarding(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant: its window that stays open longest is used, if there is one.")]
        tenant_id: Option<ID>,
        #[graphql(desc = "The consent whose window is used. With both, it has to be of that tenant.")]
        consent_id: Option<ID>,
    ) -> Option<Plan> {
        let planned = plan(ctx, tenant_id.as_ref(), consent_id.as_ref()).await;
        or_null(ctx, planned)
    }
}

async fn plan(ctx: &Context<'_>, tenant_id: Option<&ID>, consent_id: Option<&ID>) -> Result<Option<Plan>> {
    let scope = Scope::of(ctx, Permission::ReadConsents)?;
    let tenant_id = tenant_id.map(|id| Kind::Tenant.row(id)).transpose()?;
    let consent_id = consent_id.map(|id| Kind::Consent.row(id)).transpose()?;
    if tenant_id.is_none() && consent_id.is_none() {
        return Err(ErrorCode::BadInput.error("Give tenantId, consentId or both."));
    }
    let draft = draft(scope, tenant_id, consent_id).await.map_err(|error| internal(&error))?;
    match draft {
        Some(draft) => draw(ctx, scope, draft).await.map(Some),
        None => Ok(None),
    }
}

/// None: there is no such tenant or consent.
async fn draft(
    scope: Scope<'_>,
    tenant_id: Option<Uuid>,
    consent_id: Option<Uuid>,
) -> Result<Option<Draft>, DbErr> {
    let consent = match consent_id {
        Some(id) => {
            let found = scope.owned::<consent::Entity>().filter(consent::Column::Id.eq(id));
            let Some(consent) = found.one(scope.database()).await? else { return Ok(None) };
            Some(consent)
        }
        None => None,
    };
    let tenant = find_tenant(scope, tenant_id, consent.as_ref()).await?;
    if tenant_id.is_some() && tenant.is_none() {
        return Ok(None);
    }
    let asked = match consent.as_ref().map(consent::Model::work) {
        Some(Work::Onboard { subscriptions }) => subscriptions,
        _ => Vec::new(),
    };
    let extent = match () {
        () if !asked.is_empty() => Extent::Named,
        // What is new is in nobody's limits.
        () if scope.viewer.limited_by.is_some() => Extent::SeenAndKnown,
        () => Extent::Seen,
    };
    let subscriptions = match &tenant {
        Some(tenant) => subscriptions(scope, tenant.id, &asked).await?,
        None => Vec::new(),
    };
    let now = scope.services.clock.now();
    let consent = match (consent, &tenant) {
        (Some(consent), _) => Some(consent).filter(|consent| consent.is_open(now)),
        (None, Some(tenant)) => open_windows(scope, tenant.id, READ).await?.into_iter().next(),
        (None, None) => None,
    };
    Ok(Some(Draft { aim: Aim::Onboard, subscriptions, extent, consent }))
}

/// The tenant; a consent's is the one that it was asked for, if that was ever connected.
async fn find_tenant(
    scope: Scope<'_>,
    tenant_id: Option<Uuid>,
    consent: Option<&consent::Model>,
) -> Result<Option<tenant::Model>, DbErr> {
    let mut found = scope.owned::<tenant::Entity>();
    if let Some(id) = tenant_id {
        found = found.filter(tenant::Column::Id.eq(id));
    }
    if let Some(consent) = consent {
        found = found.filter(tenant::Column::EntraTenantId.eq(consent.entra_tenant_id));
    }
    found.one(scope.database()).await
}

async fn subscriptions(
    scope: Scope<'_>,
    tenant_id: Uuid,
    asked: &[Uuid],
) -> Result<Vec<subscription::Model>, DbErr> {
    let of_tenant =
        scope.owned::<subscription::Entity>().filter(subscription::Column::TenantId.eq(tenant_id));
    let mut rows = of_tenant.all(scope.database()).await?;
    rows.retain(|row| asked.is_empty() || asked.contains(&row.id));
    Ok(rows)
}
