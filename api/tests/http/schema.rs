//! A schema with everything that can go wrong in it.

#![expect(clippy::unused_async, reason = "the library takes asynchronous resolvers only")]

use std::sync::Arc;
use std::time::Duration;

use api::error::ErrorCode;
use api::permission::Missing;
use api::viewer::Viewer;
use async_graphql::{Context, Error, Object, Schema, SimpleObject, Subscription};
use entity::access_token::AccessScope;
use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;

pub type TestSchema = Schema<Query, Mutation, LiveQuery>;

/// How long a state may take to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How many resolvers are under way.
#[derive(Clone)]
pub struct UnderWay(Arc<watch::Sender<usize>>);

impl UnderWay {
    fn enter(&self) -> Guard {
        self.0.send_modify(|count| *count += 1);
        Guard(self.clone())
    }

    /// Waits until this many are.
    pub async fn becomes(&self, count: usize) {
        let mut counts = self.0.subscribe();
        let reached = tokio::time::timeout(PATIENCE, counts.wait_for(|now| *now == count)).await;
        reached.expect("it is reached in time").expect("the sender is here");
    }
}

struct Guard(UnderWay);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

pub fn build() -> (TestSchema, UnderWay) {
    let under_way = UnderWay(Arc::new(watch::Sender::new(0)));
    let schema = Schema::build(Query, Mutation, LiveQuery).data(under_way.clone()).finish();
    (schema, under_way)
}

fn panic_on_purpose() -> String {
    panic!("a resolver that panics on purpose")
}

pub struct Query;

#[derive(SimpleObject)]
#[graphql(name = "Item")]
pub struct Item {
    id: i32,
    name: String,
}

#[derive(SimpleObject)]
#[graphql(name = "Items")]
pub struct Items {
    nodes: Vec<Item>,
    total_count: i32,
}

pub struct Nested;

#[Object(name = "Nested")]
impl Nested {
    async fn name(&self) -> &'static str {
        "nested"
    }

    async fn nested(&self) -> Nested {
        Nested
    }

    async fn broken_inside(&self) -> Result<String, Error> {
        Err(Error::new("connection to 10.0.0.7:5432 refused"))
    }

    async fn absent(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.add_error(failed(ctx));
        None
    }
}

fn failed(ctx: &Context<'_>) -> async_graphql::ServerError {
    ctx.set_error_path(
        ErrorCode::UpstreamUnavailable.error("Microsoft does not answer.").into_server_error(ctx.item.pos),
    )
}

#[Object(name = "Query")]
impl Query {
    async fn hello(&self) -> &'static str {
        "world"
    }

    async fn member(&self, ctx: &Context<'_>) -> Result<String, Error> {
        Ok(ctx.data::<Viewer>()?.member_id.to_string())
    }

    async fn add(&self, a: i32, b: Option<i32>) -> i32 {
        a + b.unwrap_or(1)
    }

    async fn nested(&self) -> Option<Nested> {
        Some(Nested)
    }

    async fn broken(&self) -> Result<String, Error> {
        Err(Error::new("connection to 10.0.0.7:5432 refused"))
    }

    async fn absent(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.add_error(failed(ctx));
        None
    }

    async fn forbidden(&self) -> Result<String, Error> {
        Err(Missing::Scope(AccessScope::AuditRead).error())
    }

    async fn panics(&self) -> String {
        panic_on_purpose()
    }

    async fn endless(&self, ctx: &Context<'_>) -> bool {
        let _guard = ctx.data_unchecked::<UnderWay>().enter();
        std::future::pending().await
    }

    async fn late(&self) -> &'static str {
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        "late"
    }

    async fn items(&self, first: Option<i32>) -> Items {
        let count = first.unwrap_or(3).min(3);
        let nodes: Vec<Item> = (0..count).map(|id| Item { id, name: format!("item {id}") }).collect();
        Items { total_count: 3, nodes }
    }

    async fn text(&self, size: usize) -> String {
        "x".repeat(size)
    }
}

pub struct Mutation;

#[Object(name = "Mutation")]
impl Mutation {
    async fn change(&self) -> bool {
        true
    }
}

pub struct LiveQuery;

#[Subscription(name = "Subscription")]
impl LiveQuery {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }

    async fn endless(&self, ctx: &Context<'_>) -> impl Stream<Item = i32> {
        let guard = ctx.data_unchecked::<UnderWay>().enter();
        stream::once(async { 1 }).chain(stream::pending()).map(move |item| {
            let _ = &guard;
            item
        })
    }

    async fn flood(&self, ctx: &Context<'_>, size: usize) -> impl Stream<Item = String> {
        let guard = ctx.data_unchecked::<UnderWay>().enter();
        stream::repeat_with(move || {
            let _ = &guard;
            "x".repeat(size)
        })
    }

    async fn never_begins(&self) -> Result<stream::Pending<i32>, Error> {
        Err(Missing::Scope(AccessScope::AuditRead).error())
    }

    async fn breaks(&self) -> impl Stream<Item = Result<i32, Error>> {
        stream::iter([Ok(1), Err(Error::new("connection to 10.0.0.7:5432 refused"))])
    }

    async fn panics(&self) -> impl Stream<Item = i32> {
        stream::iter([1, 2])
            .map(|item| if item == 2 { panic!("a live query that panics on purpose") } else { item })
    }
}
