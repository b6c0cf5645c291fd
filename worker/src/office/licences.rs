//! Reads what the tenant has bought, and when its users signed in: each needs a permission of its own.

use std::collections::HashMap;
use std::pin::pin;

use chrono::{DateTime, Utc};
use entity::Owned;
use entity::office::feed::{self, State};
use entity::office::{purchased_licence, user};
use futures::StreamExt;
use microsoft::{SignIn, SubscribedSku};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, Set};
use uuid::Uuid;

use super::load::{Load, Pause};
use crate::{failures, transaction};

/// What Microsoft answers where the tenant has no licence by which sign-ins may be read.
const NO_PREMIUM: &str = "PREMIUM_LICENCE_MISSING";

pub(super) async fn purchased(load: &Load<'_>, feed: &mut feed::Model) -> Result<(), Pause> {
    Load::begun(feed);
    let bought = load.context.microsoft.graph().subscribed_skus(load.tenant.entra_tenant_id).await?;
    let now = load.context.clock.now();
    feed.rows_read = i64::try_from(bought.len()).unwrap_or(i64::MAX);
    let transaction = transaction::begin(&load.context.database).await?;
    purchased_licence::Entity::delete_many()
        .filter(purchased_licence::Column::TenantId.eq(feed.tenant_id))
        .exec(&transaction)
        .await?;
    let rows: HashMap<_, _> = bought.into_iter().map(|sku| (sku.sku_id, row(feed, sku, now))).collect();
    if !rows.is_empty() {
        purchased_licence::Entity::insert_many(rows.into_values())
            .exec_without_returning(&transaction)
            .await?;
    }
    load.ended(feed, State::Loaded, None);
    load.store(&transaction, feed).await?;
    transaction.commit().await?;
    Ok(())
}

fn row(feed: &feed::Model, sku: SubscribedSku, now: DateTime<Utc>) -> purchased_licence::ActiveModel {
    let count = |units: u64| Set(i64::try_from(units).unwrap_or(i64::MAX));
    purchased_licence::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(feed.organization_id),
        tenant_id: Set(feed.tenant_id),
        sku_id: Set(sku.sku_id),
        part_number: Set(sku.part_number),
        capability_status: Set(sku.capability_status),
        is_per_user: Set(sku.applies_to.as_deref() != Some("Company")),
        enabled: count(sku.prepaid_units.enabled),
        suspended: count(sku.prepaid_units.suspended),
        warning: count(sku.prepaid_units.warning),
        consumed: count(sku.consumed_units),
        read_at: Set(now),
    }
}

pub(super) async fn sign_ins(load: &Load<'_>, feed: &mut feed::Model) -> Result<(), Pause> {
    Load::begun(feed);
    let pages = load.context.microsoft.graph().sign_ins(load.tenant.entra_tenant_id);
    let mut pages = pin!(pages);
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) if error.code() == NO_PREMIUM => {
                let failure = failures::of_microsoft(&error);
                return Ok(load.end(feed, State::NotGranted, Some(failure)).await?);
            }
            Err(error) => return Err(error.into()),
        };
        feed.rows_read += i64::try_from(page.len()).unwrap_or(i64::MAX);
        store(load, feed, &page).await?;
        load.store(&load.context.database, feed).await?;
        load.beat().await?;
    }
    Ok(load.end(feed, State::Loaded, None).await?)
}

/// Writes only what has changed. A user who is not known yet is told of by the next load.
async fn store(load: &Load<'_>, feed: &feed::Model, page: &[SignIn]) -> Result<(), DbErr> {
    let told: HashMap<_, _> = page
        .iter()
        .map(|of| {
            let last = [of.attempted_at, of.attempted_by_app_at, of.succeeded_at].into_iter().flatten().max();
            (user::id_of(feed.tenant_id, of.user_id), last)
        })
        .collect();
    let users = user::Entity::owned_by(feed.organization_id)
        .filter(user::Column::Id.is_in(told.keys().copied()))
        .all(&load.context.database)
        .await?;
    let changed = users.into_iter().filter_map(|user| {
        let last = told.get(&user.id).copied().flatten();
        (user.last_sign_in_at != last)
            .then(|| user::Model { last_sign_in_at: last, ..user }.into_active_model())
    });
    let changed: Vec<_> = changed.collect();
    if changed.is_empty() {
        return Ok(());
    }
    // They are all there: of each only this column is written, and all of them by one statement.
    let known = OnConflict::column(user::Column::Id).update_column(user::Column::LastSignInAt).to_owned();
    let rows = user::Entity::insert_many(changed).on_conflict(known);
    rows.exec_without_returning(&load.context.database).await.map(drop)
}
