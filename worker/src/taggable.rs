//! Learns from Azure which types of resources take tags.

use chrono::TimeDelta;
use entity::taggable_type;
use microsoft::Caller;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::scan::Target;

/// How long what Azure told counts: it changes with new services only.
const GOOD_FOR: TimeDelta = TimeDelta::days(1);

/// Rows that a statement stores at once.
const CHUNK: usize = 1_000;

/// Asks Azure about its types, unless it told a short while ago. Where it does not tell, as to Tag Contributor alone,
/// its answers to writes will.
pub(crate) async fn learn(context: &Context, tenant: Uuid, targets: &[Target]) -> Result<(), JobError> {
    let now = context.clock.now();
    let Some(target) = targets.first() else { return Ok(()) };
    if taggable_type::Entity::read_since(now - GOOD_FOR).one(&context.database).await?.is_some() {
        return Ok(());
    }
    let arm = context.microsoft.arm();
    let asked = arm.resource_types(&Caller::App { tenant }, target.subscription.azure_subscription_id).await;
    let types = match asked {
        Ok(types) => types,
        Err(error) => {
            tracing::info!(tenant.id = %tenant, %error, "Azure does not tell which types take tags");
            return Ok(());
        }
    };
    let mut rows: Vec<_> = types
        .into_iter()
        .map(|of| taggable_type::Model { resource_type: of.name, taggable: of.supports_tags, read_at: now })
        .collect();
    rows.sort_by(|one, other| one.resource_type.cmp(&other.resource_type));
    rows.dedup_by(|one, other| one.resource_type == other.resource_type);
    for chunk in rows.chunks(CHUNK) {
        let known = OnConflict::column(taggable_type::Column::ResourceType)
            .update_columns([taggable_type::Column::Taggable, taggable_type::Column::ReadAt])
            .to_owned();
        taggable_type::Entity::insert_many(
            chunk.iter().cloned().map(|row| row.into_active_model().reset_all()),
        )
        .on_conflict(known)
        .exec_without_returning(&context.database)
        .await?;
    }
    Ok(())
}
