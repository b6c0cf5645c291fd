//! The receipt of a consent: every call that was made while impersonating the consenting user.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result};
use entity::receipt::{as_of, scope_of};
use entity::{consent, delegated_call};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QuerySelect};
use url::Url;
use uuid::Uuid;
use worker::receipt::Format;

use crate::graphql::batch::Batch;
use crate::graphql::ids::Kind;
use crate::graphql::int;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scalars::{DateTime, Guid};
use crate::graphql::scope::Scope;
use crate::graphql::stored::{Row, Stored};
use crate::permission::Permission;

/// What became of a delegated call.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "DelegatedCallOutcome", remote = "entity::delegated_call::Outcome")]
pub enum DelegatedCallOutcome {
    /// It is under way, or nobody knows whether it arrived.
    Unknown,
    /// Microsoft did what was asked.
    Succeeded,
    /// Microsoft refused.
    Refused,
    /// Microsoft asked for the call to be made later.
    Throttled,
    /// Microsoft did not answer, or said that something broke.
    NotAnswered,
}

/// How a receipt is written.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "ReceiptFormat", remote = "worker::receipt::Format")]
pub enum ReceiptFormat {
    /// The calls and the signed statement, as one JSON.
    #[default]
    Json,
    /// The calls, as CSV. Its SHA-256 is in the signed statement.
    Csv,
    /// The signed statement alone, as a compact JWS.
    Jws,
}

/// One HTTP request in the consenting user's name. Each repeat and each page of a list is one.
pub struct DelegatedCall(delegated_call::Model);

impl Stored for DelegatedCall {
    type Entity = delegated_call::Entity;
    const READ: Permission = Permission::ReadConsents;
    const ID: delegated_call::Column = delegated_call::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        rows.into_iter().map(Self).collect()
    }
}

/// One HTTP request in the consenting user's name. Each repeat and each page of a list is one.
#[Object(name = "DelegatedCall")]
impl DelegatedCall {
    /// The `x-ms-client-request-id` that was sent.
    async fn client_request_id(&self) -> Guid {
        self.0.id.into()
    }

    /// The `x-ms-correlation-request-id` that was sent. Azure's Activity Log shows it as `correlationId` of what the
    /// call changed; what only reads is not in that log.
    async fn correlation_id(&self) -> Guid {
        self.0.correlation_id.into()
    }

    /// Microsoft's id of the request, its `x-ms-request-id`; null if there was no answer.
    async fn microsoft_request_id(&self) -> Option<&str> {
        self.0.microsoft_request_id.as_deref()
    }

    /// When it was about to be sent.
    async fn begun_at(&self) -> DateTime {
        self.0.begun_at.into()
    }

    /// When the answer was there, or the wait for it was over; null until then.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(Into::into)
    }

    /// The HTTP method.
    async fn method(&self) -> &str {
        &self.0.method
    }

    /// The path and query.
    async fn path(&self) -> &str {
        &self.0.path
    }

    /// The scope of Resource Manager that it acted at; `/` is the tenant.
    async fn scope(&self) -> String {
        scope_of(&self.0.path)
    }

    /// Microsoft's id of the subscription that it acted in; null if it acted in none.
    async fn azure_subscription_id(&self) -> Option<Guid> {
        let mut parts = self.0.path.split(['/', '?']).skip(1);
        let is_in_subscription = parts.next()?.eq_ignore_ascii_case("subscriptions");
        let id = Uuid::try_parse(parts.next()?).ok()?;
        is_in_subscription.then(|| id.into())
    }

    /// What became of it.
    async fn outcome(&self) -> DelegatedCallOutcome {
        self.0.outcome.into()
    }

    /// The HTTP status of the answer; null if there was none.
    async fn status(&self) -> Option<i32> {
        self.0.status
    }

    /// Microsoft's own code of a refusal.
    async fn microsoft_code(&self) -> Option<&str> {
        self.0.microsoft_code.as_deref()
    }
}

/// The receipts of consents that were read together.
pub(super) struct Receipts {
    /// Those that the viewer may read.
    readable: Batch<Uuid>,
    call_counts: Batch<i64>,
}

impl Receipts {
    pub(super) fn of(consents: &[consent::Model]) -> Self {
        let granted = || consents.iter().filter(|row| row.granted_at.is_some()).map(|row| row.id);
        Self { readable: Batch::of(granted()), call_counts: Batch::of(granted()) }
    }

    /// The receipt of `consent`, if it has one that the viewer may read.
    pub(super) async fn find(
        this: &Arc<Self>,
        ctx: &Context<'_>,
        consent: &consent::Model,
    ) -> Result<Option<Receipt>> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        if consent.granted_at.is_none() {
            return Ok(None);
        }
        // Who is not limited reads all of them.
        let readable = scope.viewer.limited_by.is_none()
            || this.readable.get(consent.id, |ids| readable(scope, ids)).await?.is_some();
        let is_final = as_of(consent, scope.services.clock.now()).1;
        let public_url = scope.services.public_url.clone();
        let receipt =
            || Receipt { consent: consent.clone(), is_final, public_url, siblings: Arc::clone(this) };
        Ok(readable.then(receipt))
    }
}

async fn readable(scope: Scope<'_>, consents: Vec<Uuid>) -> Result<HashMap<Uuid, Uuid>, DbErr> {
    let viewer = scope.viewer;
    let rows = consent::Entity::with_receipt(viewer.organization_id, viewer.limited_by)
        .filter(consent::Column::Id.is_in(consents))
        .all(scope.database())
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.id)).collect())
}

async fn call_counts(scope: Scope<'_>, consents: Vec<Uuid>) -> Result<HashMap<Uuid, i64>, DbErr> {
    let counts = scope
        .owned::<delegated_call::Entity>()
        .filter(delegated_call::Column::ConsentId.is_in(consents))
        .select_only()
        .column(delegated_call::Column::ConsentId)
        .expr(Expr::cust("count(*)"))
        .group_by(delegated_call::Column::ConsentId)
        .into_tuple::<(Uuid, i64)>()
        .all(scope.database())
        .await?;
    Ok(counts.into_iter().collect())
}

/// A receipt.
pub struct Receipt {
    consent: consent::Model,
    is_final: bool,
    public_url: Url,
    siblings: Arc<Receipts>,
}

/// Every call that was made while impersonating the consenting user. To be matched with the Activity Log of the
/// customer's subscriptions: `caller` is the consenting user, and `correlationId` is each call's `correlationId`.
#[Object(name = "Receipt")]
impl Receipt {
    /// Whether nothing can be added any more: two minutes after the window has closed. From then on the receipt is the
    /// same for good.
    #[graphql(name = "final")]
    async fn is_final(&self) -> bool {
        self.is_final
    }

    /// Object id of the consenting user, in whose name the calls were made; null if Microsoft did not tell it.
    async fn consenting_user_id(&self) -> Option<Guid> {
        self.consent.consenting_user_id.map(Into::into)
    }

    /// How many calls there are.
    async fn call_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        let counts = &self.siblings.call_counts;
        let count = counts.get(self.consent.id, |consents| call_counts(scope, consents)).await?;
        Ok(int(count.copied().unwrap_or_default()))
    }

    /// The calls, in the order in which they were begun.
    async fn calls(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<DelegatedCall>> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        let calls = scope.owned().filter(delegated_call::Column::ConsentId.eq(self.consent.id));
        let sort = Sort {
            name: "begun",
            expression: Expr::col(delegated_call::Column::Id.as_column_ref()),
            key: KeyOf::Id(|row: &delegated_call::Model| row.id),
            direction: OrderDirection::Asc,
        };
        page(scope, calls, sort, &Paging { first, after, last, before }).await
    }

    /// Where the receipt is downloaded by GET, with the same token. Each download is in the audit. The key by which it
    /// was signed is at `/.well-known/tenantry-receipt-keys`, as a JWK set.
    async fn download_url(
        &self,
        #[graphql(default, desc = "How it is written.")] format: ReceiptFormat,
    ) -> String {
        let public_url = self.public_url.as_str().trim_end_matches('/');
        let (id, format) = (Kind::Consent.id(self.consent.id), Format::from(format).as_str());
        format!("{public_url}/consents/{}/receipt?format={format}", *id)
    }
}
