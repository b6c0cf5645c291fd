//! Reads usage reports. A report takes the place of the one before when it was read to its end, is not empty, and is not
//! older.

use entity::office::feed::{self, Kind, RefusedRow, RefusedRows, State};
use entity::office::{Figures, active_users, report, report_row};
use entity::{Failure, Owned};
use microsoft::{
    ActiveUser, ActiveUserCounts, AppUser, ETag, Fetched, Mailbox, OneDrive, Period, Report, Rows,
    ServiceCounts, Site, TeamsUser,
};
use sea_orm::prelude::Date;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Set,
};
use uuid::Uuid;

use super::load::{Load, Pause};
use super::rows::{Kept, number};
use crate::{failures, transaction};

/// Rows that a transaction deletes at most.
const BATCH: u64 = 5_000;

pub(super) async fn read(load: &Load<'_>, feed: &mut feed::Model) -> Result<(), Pause> {
    match feed.kind {
        Kind::UserActivity => rows::<ActiveUser>(load, feed).await,
        Kind::ServiceUsers => rows::<ServiceCounts>(load, feed).await,
        Kind::Mailboxes => rows::<Mailbox>(load, feed).await,
        Kind::Onedrives => rows::<OneDrive>(load, feed).await,
        Kind::Sites => rows::<Site>(load, feed).await,
        Kind::TeamsActivity => rows::<TeamsUser>(load, feed).await,
        Kind::AppUsage => rows::<AppUser>(load, feed).await,
        _ => days(load, feed).await,
    }
}

/// What was read of a report that is to be kept.
struct Read {
    refreshed_on: Date,
    conceals_names: Option<bool>,
    totals: Option<Figures>,
    load_id: Option<Uuid>,
    etag: Option<String>,
}

/// Reads a report with a row for each user, mailbox or site.
async fn rows<R: Kept>(load: &Load<'_>, feed: &mut feed::Model) -> Result<(), Pause> {
    delete_stale(load, feed).await?;
    let Some((mut rows, current)) = fetch::<R>(load, feed).await? else { return Ok(()) };
    let (load_id, mut totals) = (Uuid::now_v7(), Figures::default());
    while let Some(batch) = rows.next_batch().await? {
        if is_older(rows.refresh_date(), current.as_ref()) {
            return Ok(load.end(feed, State::Unchanged, None).await?);
        }
        let mut kept = Vec::new();
        for row in batch {
            row.add(&mut totals);
            kept.extend(row.row().map(|row| row.stored(feed, load_id)));
        }
        if !kept.is_empty() {
            report_row::Entity::insert_many(kept).exec_without_returning(&load.context.database).await?;
        }
        tell(feed, &rows);
        load.store(&load.context.database, feed).await?;
        load.beat().await?;
    }
    tell(feed, &rows);
    let read = match checked(&rows, Some(totals), Some(load_id)) {
        Ok(read) => read,
        Err(failure) => return Ok(load.end(feed, State::Failed, Some(failure)).await?),
    };
    let transaction = transaction::begin(&load.context.database).await?;
    keep(load, &transaction, feed, read).await?;
    transaction.commit().await?;
    Ok(delete_stale(load, feed).await?)
}

/// Reads the report with a row for each day: a few hundred, that are kept for good.
async fn days(load: &Load<'_>, feed: &mut feed::Model) -> Result<(), Pause> {
    let Some((mut rows, current)) = fetch::<ActiveUserCounts>(load, feed).await? else { return Ok(()) };
    let mut days = Vec::new();
    while let Some(batch) = rows.next_batch().await? {
        days.extend(batch);
    }
    tell(feed, &rows);
    if is_older(rows.refresh_date(), current.as_ref()) {
        return Ok(load.end(feed, State::Unchanged, None).await?);
    }
    let read = match checked(&rows, None, None) {
        Ok(read) => read,
        Err(failure) => return Ok(load.end(feed, State::Failed, Some(failure)).await?),
    };
    let transaction = transaction::begin(&load.context.database).await?;
    let stored = days.into_iter().map(|day| day_of(feed, &day, read.refreshed_on));
    active_users::Entity::insert_many(stored)
        .on_conflict(known_day())
        .exec_without_returning(&transaction)
        .await?;
    keep(load, &transaction, feed, read).await?;
    transaction.commit().await?;
    load.context.progress.publish(load.operation.id).await;
    Ok(())
}

/// Asks for the report, unless it is the one that is there: its rows, and the one before.
async fn fetch<R: Report>(
    load: &Load<'_>,
    feed: &mut feed::Model,
) -> Result<Option<(Rows<R>, Option<report::Model>)>, Pause> {
    let current = match feed.report_id {
        Some(id) => {
            let found = report::Entity::owned_by(feed.organization_id).filter(report::Column::Id.eq(id));
            found.one(&load.context.database).await?
        }
        None => None,
    };
    let etag = feed.etag.as_deref().filter(|_| current.is_some()).and_then(ETag::new);
    Load::begun(feed);
    load.store(&load.context.database, feed).await?;
    let period = Period::ALL.into_iter().find(|period| i32::from(period.days()) == feed.period);
    let period = period.ok_or_else(|| anyhow::anyhow!("a feed of {} days is none", feed.period))?;
    let asked = load.context.microsoft.graph().report(load.tenant.entra_tenant_id, period, etag.as_ref());
    match asked.await? {
        Fetched::NotModified => {
            load.end(feed, State::Unchanged, None).await?;
            Ok(None)
        }
        Fetched::Report(rows) => Ok(Some((rows, current))),
    }
}

fn is_older(refreshed_on: Option<Date>, current: Option<&report::Model>) -> bool {
    refreshed_on.zip(current).is_some_and(|(new, known)| new < known.refreshed_on)
}

fn tell<R: Report>(feed: &mut feed::Model, rows: &Rows<R>) {
    feed.rows_read = number(Some(rows.read())).unwrap_or_default();
    feed.rows_refused = number(Some(rows.refused())).unwrap_or_default();
    let refused = rows.refusals().iter().map(|one| RefusedRow { line: one.line, reason: one.reason.clone() });
    let refused: Vec<_> = refused.collect();
    feed.refused = (!refused.is_empty()).then_some(RefusedRows(refused));
}

/// What was read, if that can take the place of anything.
fn checked<R: Report>(
    rows: &Rows<R>,
    totals: Option<Figures>,
    load_id: Option<Uuid>,
) -> Result<Read, Failure> {
    match rows.refresh_date() {
        Some(refreshed_on) if rows.read() > 0 => Ok(Read {
            refreshed_on,
            conceals_names: rows.conceals_names(),
            totals,
            load_id,
            etag: rows.etag().map(|etag| etag.as_str().to_owned()),
        }),
        _ if rows.refused() > 0 => Err(failures::no_row_readable(rows.refused())),
        _ => Err(failures::report_without_rows()),
    }
}

/// Makes what was read the current report.
async fn keep(
    load: &Load<'_>,
    transaction: &DatabaseTransaction,
    feed: &mut feed::Model,
    read: Read,
) -> Result<(), DbErr> {
    let id = report::id_of(feed.tenant_id, feed.kind, feed.period, read.refreshed_on);
    let made = report::ActiveModel {
        id: Set(id),
        organization_id: Set(feed.organization_id),
        tenant_id: Set(feed.tenant_id),
        kind: Set(feed.kind),
        period: Set(feed.period),
        refreshed_on: Set(read.refreshed_on),
        fetched_at: Set(load.context.clock.now()),
        rows: Set(feed.rows_read),
        refused: Set(feed.rows_refused),
        conceals_names: Set(read.conceals_names),
        totals: Set(read.totals),
    };
    let again = [
        report::Column::FetchedAt,
        report::Column::Rows,
        report::Column::Refused,
        report::Column::ConcealsNames,
        report::Column::Totals,
    ];
    let known = OnConflict::column(report::Column::Id).update_columns(again).to_owned();
    report::Entity::insert_many([made]).on_conflict(known).exec_without_returning(transaction).await?;
    feed.report_id = Some(id);
    feed.load_id = read.load_id;
    feed.etag = read.etag;
    load.ended(feed, State::Loaded, None);
    load.store(transaction, feed).await
}

/// Deletes rows that are not the current ones: those of the report before, and of a load that did not end.
async fn delete_stale(load: &Load<'_>, feed: &feed::Model) -> Result<(), DbErr> {
    loop {
        let mut stale =
            report_row::Entity::owned_by(feed.organization_id).filter(report_row::Column::FeedId.eq(feed.id));
        if let Some(current) = feed.load_id {
            stale = stale.filter(report_row::Column::LoadId.ne(current));
        }
        let stale = stale.select_only().column(report_row::Column::Id).limit(BATCH).into_query();
        let deleted = report_row::Entity::delete_many()
            .filter(report_row::Column::Id.in_subquery(stale))
            .exec(&load.context.database)
            .await?;
        if deleted.rows_affected < BATCH {
            return Ok(());
        }
    }
}

fn day_of(feed: &feed::Model, day: &ActiveUserCounts, refreshed_on: Date) -> active_users::ActiveModel {
    active_users::ActiveModel {
        id: Set(active_users::id_of(feed.tenant_id, day.date)),
        organization_id: Set(feed.organization_id),
        tenant_id: Set(feed.tenant_id),
        day: Set(day.date),
        refreshed_on: Set(refreshed_on),
        office_365: Set(number(day.office_365)),
        exchange: Set(number(day.exchange)),
        onedrive: Set(number(day.one_drive)),
        sharepoint: Set(number(day.share_point)),
        skype: Set(number(day.skype)),
        yammer: Set(number(day.yammer)),
        teams: Set(number(day.teams)),
    }
}

fn known_day() -> OnConflict {
    use active_users::Column;
    OnConflict::column(Column::Id)
        .update_columns([
            Column::RefreshedOn,
            Column::Office365,
            Column::Exchange,
            Column::Onedrive,
            Column::Sharepoint,
            Column::Skype,
            Column::Yammer,
            Column::Teams,
        ])
        .to_owned()
}
