//! Lets a delegated call through only inside the window, and writes down each for the receipt.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::delegated_call::{self, Outcome};
use entity::{Clock, consent};
use futures::FutureExt;
use futures::future::BoxFuture;
use microsoft::{DelegatedEnd, DelegatedRequest, MicrosoftError, Watch};
use sea_orm::sea_query::{CaseStatement, Expr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DatabaseConnection, DbErr, EntityTrait, QueryFilter, Set,
    Unchanged,
};
use uuid::Uuid;

use super::Means;

/// What a call that reads may take: none is begun closer than this to the window's end.
pub const READ: TimeDelta = TimeDelta::seconds(10);

/// What a call that changes something may take: Azure answers most within a second, and all within a minute.
pub const CHANGE: TimeDelta = TimeDelta::seconds(45);

/// What an answer may come in before the window's end, so that it is abandoned inside.
const EDGE: TimeDelta = TimeDelta::seconds(1);

/// The gate of one consent's window.
pub(super) struct Gate {
    database: DatabaseConnection,
    clock: Clock,
    organization_id: Uuid,
    consent_id: Uuid,
    closes_at: DateTime<Utc>,
}

impl Gate {
    pub(super) fn new(
        means: Means<'_>,
        organization_id: Uuid,
        consent_id: Uuid,
        closes_at: DateTime<Utc>,
    ) -> Self {
        Self {
            database: means.database.clone(),
            clock: means.clock.clone(),
            organization_id,
            consent_id,
            closes_at,
        }
    }

    async fn pass(&self, request: &DelegatedRequest) -> Result<Duration, MicrosoftError> {
        let ours = self.clock.now();
        // The token expires by Microsoft's clock: whichever is further counts.
        let now = request.microsoft_now.map_or(ours, |theirs| theirs.max(ours));
        let needed = if request.method == "GET" { READ } else { CHANGE };
        let not_recorded = |error: DbErr| {
            tracing::warn!(consent.id = %self.consent_id, %error, "a delegated call could not be written down");
            MicrosoftError::not_recorded()
        };
        if !self.enter(now, needed).await.map_err(not_recorded)? {
            return Err(MicrosoftError::window_closed());
        }
        self.begin(request, ours).await.map_err(not_recorded)?;
        Ok((self.closes_at - now - EDGE).to_std().unwrap_or_default())
    }

    /// Notes that a call is made now, if the window is open for as long as it needs, by both clocks and by the
    /// last call.
    async fn enter(&self, now: DateTime<Utc>, needed: TimeDelta) -> Result<bool, DbErr> {
        let latest = self.closes_at - needed;
        let last = consent::Column::LastCallAt;
        let has_room = Condition::any().add(last.is_null()).add(last.lt(latest));
        let mut entered = consent::Entity::update_many()
            .filter(consent::Column::OrganizationId.eq(self.organization_id))
            .filter(consent::Column::Id.eq(self.consent_id))
            .filter(consent::Column::State.eq(consent::State::Granted))
            .filter(consent::Column::WindowClosesAt.gt(now + needed))
            .filter(has_room);
        entered = entered.col_expr(last, latest_of(now));
        Ok(entered.exec(&self.database).await?.rows_affected > 0)
    }

    async fn begin(&self, request: &DelegatedRequest, now: DateTime<Utc>) -> Result<(), DbErr> {
        let call = delegated_call::ActiveModel {
            id: Set(request.id),
            organization_id: Set(self.organization_id),
            consent_id: Set(self.consent_id),
            method: Set(request.method.clone()),
            path: Set(request.path.clone()),
            begun_at: Set(now),
            ended_at: Set(None),
            outcome: Set(Outcome::Unknown),
            status: Set(None),
            microsoft_code: Set(None),
            microsoft_request_id: Set(None),
            correlation_id: Set(request.correlation_id),
        };
        delegated_call::Entity::insert(call).exec_without_returning(&self.database).await.map(drop)
    }

    async fn end(&self, request: &DelegatedRequest, end: &DelegatedEnd) -> Result<(), DbErr> {
        let ended = delegated_call::ActiveModel {
            id: Unchanged(request.id),
            ended_at: Set(Some(self.clock.now())),
            outcome: Set(outcome_of(end.status)),
            status: Set(end.status.map(i32::from)),
            microsoft_code: Set(end.microsoft_code.clone()),
            microsoft_request_id: Set(end.request_id.clone()),
            ..Default::default()
        };
        if end.refuses_token {
            self.shut().await?;
        }
        ended.update(&self.database).await.map(drop)
    }

    /// A token that was refused lets nobody through any more, also where whoever heard of it dies before the window is
    /// closed for it.
    async fn shut(&self) -> Result<(), DbErr> {
        consent::Entity::update_many()
            .filter(consent::Column::OrganizationId.eq(self.organization_id))
            .filter(consent::Column::Id.eq(self.consent_id))
            .col_expr(consent::Column::LastCallAt, Expr::val(self.closes_at))
            .exec(&self.database)
            .await
            .map(drop)
    }
}

/// The later of what is stored and `now`.
fn latest_of(now: DateTime<Utc>) -> Expr {
    let last = consent::Column::LastCallAt;
    let is_later = Condition::all().add(last.gt(now));
    CaseStatement::new().case(is_later, Expr::col(last)).finally(Expr::val(now)).into()
}

fn outcome_of(status: Option<u16>) -> Outcome {
    match status {
        None | Some(500..) => Outcome::NotAnswered,
        Some(200..300) => Outcome::Succeeded,
        Some(429) => Outcome::Throttled,
        Some(_) => Outcome::Refused,
    }
}

impl Watch for Gate {
    fn admit<'a>(&'a self, request: &'a DelegatedRequest) -> BoxFuture<'a, Result<Duration, MicrosoftError>> {
        self.pass(request).boxed()
    }

    fn ended<'a>(&'a self, request: &'a DelegatedRequest, end: &'a DelegatedEnd) -> BoxFuture<'a, ()> {
        async move {
            // The receipt then says that nobody knows what became of the call.
            if let Err(error) = self.end(request, end).await {
                tracing::warn!(consent.id = %self.consent_id, %error, "the end of a call is not in its receipt");
            }
        }
        .boxed()
    }
}
