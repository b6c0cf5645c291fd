//! Whether an owner link is good, and what a consent that it started does to it.

use chrono::{DateTime, Utc};
use entity::access_token::{self, State as TokenState};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::owner_link::{self, State};
use entity::{Failure, FixableBy, Owned, consent, member, subscription, tenant};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Set,
};
use serde_json::json;

use crate::page::Page;
use crate::permission::Permission;
use crate::services::Services;
use crate::viewer::Viewer;

/// Why an owner link is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dead {
    Used,
    Revoked,
    Expired,
    Exhausted,
    /// Whoever created it may not ask for this consent any more, or there is nothing left to ask it for.
    Withdrawn,
}

/// Why `link` can start no consent at `now`; none: it can.
pub(super) async fn dead(
    database: &impl ConnectionTrait,
    link: &owner_link::Model,
    now: DateTime<Utc>,
) -> Result<Option<Dead>, DbErr> {
    Ok(match link.state(now) {
        State::Used => Some(Dead::Used),
        State::Revoked => Some(Dead::Revoked),
        State::Expired => Some(Dead::Expired),
        State::Exhausted => Some(Dead::Exhausted),
        State::Open if may_still_ask(database, link, now).await? => None,
        State::Open => Some(Dead::Withdrawn),
    })
}

/// Whether its creator may ask for such a consent today, of a tenant that is not disconnected or about to be.
async fn may_still_ask(
    database: &impl ConnectionTrait,
    link: &owner_link::Model,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let Some(creator) = creator(database, link, now).await? else { return Ok(false) };
    if Permission::StartConsents.check(&creator).is_err() {
        return Ok(false);
    }
    let tenants = tenant::Entity::owned_by(link.organization_id)
        .filter(tenant::Column::Id.eq(link.tenant_id))
        .filter(tenant::Column::State.is_not_in([tenant::State::Disconnecting, tenant::State::Disconnected]));
    let ids = &link.subscriptions.0;
    let mut reached = subscription::Entity::owned_by(link.organization_id)
        .filter(subscription::Column::Id.is_in(ids.iter().copied()));
    if let Some(holder) = creator.limited_by {
        reached = subscription::Entity::within(reached, holder);
    }
    Ok(tenants.count(database).await? > 0 && reached.count(database).await? == ids.len() as u64)
}

/// Whoever created it, with the rights of today.
async fn creator(
    database: &impl ConnectionTrait,
    link: &owner_link::Model,
    now: DateTime<Utc>,
) -> Result<Option<Viewer>, DbErr> {
    let Some(member) = member::Entity::present(link.created_by).one(database).await? else {
        return Ok(None);
    };
    let Some(id) = link.access_token_id else { return Ok(Some(Viewer::of_member(&member))) };
    let token = access_token::Entity::owned_by(link.organization_id)
        .filter(access_token::Column::Id.eq(id))
        .one(database)
        .await?;
    let good = token.filter(|token| matches!(token.state(now), TokenState::Active | TokenState::ExpiresSoon));
    Ok(good.map(|token| Viewer::of_access_token(&token)))
}

/// Refuses a consent whose owner link is no good any more. That the link has expired, or has started as many as it
/// may, does not matter to a consent that it has started.
pub(crate) async fn admit(services: &Services, consent: &consent::Model) -> Result<(), Page> {
    let Some(id) = consent.owner_link_id else { return Ok(()) };
    let found = async {
        let link = owner_link::Entity::owned_by(consent.organization_id)
            .filter(owner_link::Column::Id.eq(id))
            .one(&services.database)
            .await?;
        let Some(link) = link else { return Ok(Some(Dead::Withdrawn)) };
        if link.used_at.is_some() {
            return Ok(Some(Dead::Used));
        }
        if link.revoked_at.is_some() {
            return Ok(Some(Dead::Revoked));
        }
        let may = may_still_ask(&services.database, &link, services.clock.now()).await?;
        Ok((!may).then_some(Dead::Withdrawn))
    };
    match found.await.map_err(|error: DbErr| Page::broken(&error))? {
        Some(dead) => Err(Page::of_dead_owner_link(dead)),
        None => Ok(()),
    }
}

/// A consent is granted: the owner link that started it is used. False: it was used before, or revoked.
pub(crate) async fn spend(
    transaction: &DatabaseTransaction,
    consent: &consent::Model,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let Some(id) = consent.owner_link_id else { return Ok(true) };
    let spent = owner_link::Entity::update_many()
        .set(owner_link::ActiveModel { used_at: Set(Some(now)), ..Default::default() })
        .filter(owner_link::Column::OrganizationId.eq(consent.organization_id))
        .filter(owner_link::Column::Id.eq(id))
        .filter(owner_link::Column::UsedAt.is_null())
        .filter(owner_link::Column::RevokedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(spent.rows_affected > 0)
}

/// What the audit is told then.
pub(crate) fn used(consent: &consent::Model, now: DateTime<Utc>) -> Option<Record> {
    let record = Record::of(Action::OwnerLinkUsed, ObjectKind::OwnerLink, consent.owner_link_id?);
    let consent = format!("consent:{}", consent.id);
    Some(record.before(json!({ "usedAt": null })).after(json!({ "usedAt": now, "consent": consent })))
}

/// The owner link ended while its consent was given.
pub(crate) fn not_good() -> Failure {
    Failure::new(
        "OWNER_LINK_NOT_GOOD",
        false,
        FixableBy::Member,
        "The owner link that started this consent was used before or revoked meanwhile, so nothing was granted. Ask \
         whoever sent it for a new one.",
    )
}
