//! Stores what became of the writes of one resource, and what it has now.

use entity::resource_change::{self, Origin};
use entity::tag_write::{self, Outcome, Resolution};
use entity::tags::{Tags, name_term};
use entity::{Failure, Owned, change_set, resource};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, Unchanged,
};

use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;
use crate::{inventory, transaction};

/// Former writes that are looked at.
const FORMER: u64 = 10;

/// What became of one write.
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) found: Option<String>,
    pub(super) failure: Option<Failure>,
}

/// Says, before it is sent, that each of these is: whoever goes on after a crash then knows.
pub(super) async fn sent(context: &Context, writes: &mut [tag_write::Model]) -> Result<(), DbErr> {
    let now = context.clock.now();
    let sent = tag_write::ActiveModel { sent_at: Set(Some(now)), ..Default::default() };
    tag_write::Entity::update_many()
        .set(sent)
        .filter(tag_write::Column::Id.is_in(writes.iter().map(|write| write.id)))
        .exec(&context.database)
        .await?;
    for write in writes {
        write.sent_at = Some(now);
    }
    Ok(())
}

/// Those of these writes that have ended and are not done.
pub(super) async fn undone(context: &Context, ids: impl Iterator<Item = Uuid>) -> Result<Vec<Uuid>, DbErr> {
    let ids: Vec<Uuid> = ids.collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    tag_write::Entity::ended_otherwise(ids).into_tuple().all(&context.database).await
}

/// Former writes of the same tag, the newest first.
pub(super) async fn former(
    context: &Context,
    write: &tag_write::Model,
) -> Result<Vec<tag_write::Model>, DbErr> {
    tag_write::Entity::owned_by(write.organization_id)
        .filter(tag_write::Column::ResourceId.eq(write.resource_id))
        .filter(tag_write::Column::Folded.eq(&write.folded))
        .filter(tag_write::Column::Id.ne(write.id))
        .filter(tag_write::Column::EndedAt.is_not_null())
        .order_by_desc(tag_write::Column::EndedAt)
        .order_by_desc(tag_write::Column::Id)
        .limit(FORMER)
        .all(&context.database)
        .await
}

/// Stores how writes ended and the tags that the resource has now.
pub(super) async fn ends(
    context: &Context,
    change_set: &change_set::Model,
    resource: resource::Model,
    tags: Tags,
    ends: Vec<(tag_write::Model, End)>,
) -> Result<(), JobError> {
    let transaction = transaction::begin(&context.database).await?;
    inventory::retag(&transaction, resource, tags, context.clock.now(), |change| {
        tell(change, change_set, &ends);
    })
    .await?;
    for (write, end) in ends {
        store(context, &transaction, write, end).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// What one of the writes did is told as the member's who planned it, or as the policy's that made something else of it;
/// everything else is somebody else's, and only was found on the way.
fn tell(
    change: &mut resource_change::Model,
    change_set: &change_set::Model,
    ends: &[(tag_write::Model, End)],
) {
    let folded = change.tag_name.as_deref().map(name_term);
    let Some((_, end)) = ends.iter().find(|(write, _)| Some(&write.folded) == folded.as_ref()) else {
        return;
    };
    change.origin = match end.outcome {
        Outcome::Applied | Outcome::Stored => Origin::Portal,
        Outcome::RewrittenByPolicy => Origin::Policy,
        _ => return,
    };
    change.change_set_id = Some(change_set.id);
    change.member_id = Some(change_set.member_id);
}

async fn store(
    context: &Context,
    transaction: &DatabaseTransaction,
    write: tag_write::Model,
    end: End,
) -> Result<(), DbErr> {
    let now = context.clock.now();
    if Outcome::DONE.contains(&end.outcome) {
        let superseded = tag_write::ActiveModel {
            resolution: Set(Some(Resolution::Superseded)),
            resolved_at: Set(Some(now)),
            ..Default::default()
        };
        tag_write::Entity::update_many()
            .set(superseded)
            .filter(tag_write::Column::ResourceId.eq(write.resource_id))
            .filter(tag_write::Column::Folded.eq(&write.folded))
            .filter(tag_write::Column::Outcome.eq(Outcome::Conflict))
            .filter(tag_write::Column::ResolvedAt.is_null())
            .exec(transaction)
            .await?;
    }
    let ended = tag_write::ActiveModel {
        id: Unchanged(write.id),
        outcome: Set(Some(end.outcome)),
        found: Set(end.found),
        failure: Set(end.failure),
        ended_at: Set(Some(now)),
        ..Default::default()
    };
    ended.update(transaction).await.map(drop)
}
