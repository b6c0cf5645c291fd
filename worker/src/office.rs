//! Office 365: how a tenant is connected to it, and how what it tells is read, feed by feed.

mod groups;
mod licences;
mod load;
mod reports;
mod round;
mod rows;
mod schedule;
mod seen;
mod users;

use chrono::{DateTime, TimeDelta, Utc};
use entity::office::connection;
use entity::office::feed::{self, Kind, State};
use entity::{Failure, Owned, operation, tenant};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use crate::context::Context;
use crate::job::JobError;

pub(crate) use load::load;
pub(crate) use schedule::begin_due;

/// How often a tenant is loaded by itself.
const EVERY: TimeDelta = TimeDelta::days(1);

/// Whether a tenant is connected to Office 365.
pub(crate) async fn is_connected(context: &Context, tenant: &tenant::Model) -> Result<bool, DbErr> {
    let found = connection(&context.database, tenant.organization_id, tenant.id).await?;
    Ok(found.is_some_and(|connection| connection.is_connected()))
}

async fn connection(
    database: &impl ConnectionTrait,
    organization_id: Uuid,
    tenant_id: Uuid,
) -> Result<Option<connection::Model>, DbErr> {
    let found =
        connection::Entity::owned_by(organization_id).filter(connection::Column::TenantId.eq(tenant_id));
    found.one(database).await
}

/// Connects a tenant to Office 365 on behalf of a member; one that is connected stays so, and what was read is kept.
pub async fn connect(
    database: &impl ConnectionTrait,
    tenant: &tenant::Model,
    member_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let made = connection::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(tenant.organization_id),
        tenant_id: Set(tenant.id),
        member_id: Set(member_id),
        permissions: Set(None),
        permissions_read_at: Set(None),
        conceals_names: Set(None),
        next_load_at: Set(Some(now + EVERY + jitter(tenant.id))),
        created_at: Set(now),
    };
    let known = OnConflict::column(connection::Column::TenantId)
        .update_columns([connection::Column::MemberId, connection::Column::NextLoadAt])
        .to_owned();
    connection::Entity::insert_many([made])
        .on_conflict(known)
        .exec_without_returning(database)
        .await
        .map(drop)
}

/// Nothing of Office 365 is read of a tenant any more; what was read is kept.
pub(crate) async fn disconnect(database: &impl ConnectionTrait, tenant: &tenant::Model) -> Result<(), DbErr> {
    connection::Entity::update_many()
        .set(connection::ActiveModel { next_load_at: Set(None), ..Default::default() })
        .filter(connection::Column::OrganizationId.eq(tenant.organization_id))
        .filter(connection::Column::TenantId.eq(tenant.id))
        .exec(database)
        .await
        .map(drop)
}

/// Spreads tenants over an hour.
fn jitter(tenant_id: Uuid) -> TimeDelta {
    let [.., high, low] = *tenant_id.as_bytes();
    TimeDelta::seconds(i64::from(u16::from_be_bytes([high, low])) * 3_600 / i64::from(u16::MAX))
}

/// Has every feed of the tenant wait for this operation.
async fn open_feeds(
    database: &impl ConnectionTrait,
    operation: &operation::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let feeds =
        Kind::ALL.into_iter().flat_map(|kind| kind.periods().iter().map(move |period| (kind, *period)));
    let waiting = feeds.map(|(kind, period)| feed::ActiveModel {
        id: Set(feed::id_of(operation.tenant_id, kind, period)),
        organization_id: Set(operation.organization_id),
        tenant_id: Set(operation.tenant_id),
        kind: Set(kind),
        period: Set(period),
        operation_id: Set(Some(operation.id)),
        state: Set(State::Waiting),
        link: Set(None),
        is_complete: Set(false),
        round: Set(0),
        rows_read: Set(0),
        rows_refused: Set(0),
        refused: Set(None),
        failure: Set(None),
        etag: Set(None),
        report_id: Set(None),
        load_id: Set(None),
        loaded_at: Set(None),
        updated_at: Set(now),
    });
    let again = [
        feed::Column::OperationId,
        feed::Column::State,
        feed::Column::RowsRead,
        feed::Column::RowsRefused,
        feed::Column::Refused,
        feed::Column::Failure,
        feed::Column::UpdatedAt,
    ];
    let known = OnConflict::column(feed::Column::Id).update_columns(again).to_owned();
    feed::Entity::insert_many(waiting).on_conflict(known).exec_without_returning(database).await.map(drop)
}

/// Has those feeds wait again that an operation could not read.
pub async fn again(
    database: &impl ConnectionTrait,
    operation: &operation::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let waiting = feed::ActiveModel {
        state: Set(State::Waiting),
        failure: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    feed::Entity::update_many()
        .set(waiting)
        .filter(of(operation))
        .filter(feed::Column::State.is_in([State::Failed, State::NotGranted]))
        .exec(database)
        .await
        .map(drop)
}

fn of(operation: &operation::Model) -> Condition {
    Condition::all()
        .add(feed::Column::OrganizationId.eq(operation.organization_id))
        .add(feed::Column::OperationId.eq(operation.id))
}

/// Ends what is left of an operation that ends. Answers how many feeds were read, and how many could have been.
pub(crate) async fn end_feeds(
    context: &Context,
    operation: &operation::Model,
    failure: Option<&Failure>,
) -> Result<(usize, usize), JobError> {
    let ended = feed::ActiveModel {
        state: Set(State::Failed),
        failure: Set(failure.cloned()),
        updated_at: Set(context.clock.now()),
        ..Default::default()
    };
    feed::Entity::update_many()
        .set(ended)
        .filter(of(operation))
        .filter(feed::Column::State.is_in(State::OPEN))
        .exec(&context.database)
        .await?;
    let feeds = feed::Entity::owned_by(operation.organization_id).filter(of(operation));
    let feeds = feeds.all(&context.database).await?;
    let loaded = |feed: &&feed::Model| matches!(feed.state, State::Loaded | State::Unchanged);
    let granted = |feed: &&feed::Model| feed.state != State::NotGranted;
    Ok((feeds.iter().filter(loaded).count(), feeds.iter().filter(granted).count()))
}
