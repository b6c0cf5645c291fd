//! Reads the chain of an organization's audit as it is stored, whatever that may be.

use entity::audit_event::{self, Column, Entity};
use entity::{Owned, audit_head};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, FromQueryResult, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    QueryTrait,
};
use uuid::Uuid;

use super::PAGE;

/// The head of an organization's audit, if it has one.
pub(super) async fn head(
    connection: &impl ConnectionTrait,
    organization_id: Uuid,
) -> Result<Option<audit_head::Model>, DbErr> {
    audit_head::Entity::owned_by(organization_id).one(connection).await
}

/// The next rows after the event of the number `after`. What somebody wrote into them may be anything, so
/// whether each can be read is told for each.
pub(super) async fn rows(
    connection: &impl ConnectionTrait,
    organization_id: Uuid,
    after: i64,
) -> Result<Vec<Option<audit_event::Model>>, DbErr> {
    let rows = Entity::owned_by(organization_id)
        .filter(Column::Sequence.gt(after))
        .order_by_asc(Column::Sequence)
        .limit(PAGE as u64)
        .into_query();
    let rows: Vec<QueryResult> = connection.query_all(&rows).await?;
    Ok(rows.iter().map(|row| audit_event::Model::from_query_result(row, "").ok()).collect())
}
