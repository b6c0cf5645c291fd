//! Resolvers that forget whose rows they want, asked over HTTP and over a WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use api::authentication::{Authenticator, DevelopmentTokens};
use api::http::{HttpServices, HttpSettings, RunningServer, Server};
use async_graphql::{Context, Object, Schema, Subscription};
use chrono::TimeDelta;
use entity::{Keyring, member, organization};
use futures::{SinkExt, Stream, StreamExt, stream};
use microsoft::Provider;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, Set, Statement};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use support::app::no_issuer;
use support::clock::TestClock;
use support::database::TestDatabase;
use support::http::client;
use support::stack::Stack;
use tokio::runtime::Handle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

/// The names of all members there are.
async fn members(ctx: &Context<'_>) -> async_graphql::Result<Vec<String>> {
    let names = Statement::from_string(DbBackend::Postgres, "select display_name from member");
    let rows = ctx.data::<DatabaseConnection>()?.query_all_raw(names).await?;
    Ok(rows.iter().map(|row| row.try_get_by(0)).collect::<Result<_, _>>()?)
}

struct Query;

#[Object]
impl Query {
    async fn members(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<String>> {
        members(ctx).await
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn rename_members(&self, ctx: &Context<'_>) -> async_graphql::Result<u64> {
        let rename = "update member set display_name = display_name || '!'";
        Ok(ctx.data::<DatabaseConnection>()?.execute_unprepared(rename).await?.rows_affected())
    }
}

struct LiveQuery;

#[Subscription]
impl LiveQuery {
    async fn members<'a>(
        &self,
        ctx: &'a Context<'_>,
    ) -> impl Stream<Item = async_graphql::Result<Vec<String>>> + 'a {
        stream::iter(0..2).then(|_| members(ctx))
    }
}

/// A server of that schema.
struct Forgetful {
    address: SocketAddr,
    database: DatabaseConnection,
    clock: TestClock,
    keyring: Keyring,
    _server: RunningServer,
    _home: TestDatabase,
    _shutdown: DropGuard,
}

impl Forgetful {
    /// None: there is no wall to test.
    async fn start() -> Result<Option<Self>> {
        if Stack::chosen() == Stack::Embedded {
            return Ok(None);
        }
        let mut home = TestDatabase::start(Stack::Distributed).await?;
        home.raise_wall().await?;
        let database = home.connect().await?;
        let (clock, keyring) = (TestClock::default(), Keyring::new([42; 32], []));
        let provider = Provider::new(no_issuer()?, clock.clock().as_fn())?;
        let runtime = Handle::current();
        let authenticator = Authenticator::new(&database, &keyring, &provider, &clock.clock(), &runtime);
        let http = HttpServices { authenticator: Arc::new(authenticator), routes: Arc::new(|_| {}) };
        let schema = Schema::build(Query, Mutation, LiveQuery).data(database.clone()).finish();
        let shutdown = CancellationToken::new();
        let server = Server::start(HttpSettings::default(), schema, http, shutdown.clone())?;
        Ok(Some(Self {
            address: server.address(),
            database,
            clock,
            keyring,
            _server: server,
            _home: home,
            _shutdown: shutdown.drop_guard(),
        }))
    }

    /// The token of a member of this name in an organization of its own.
    async fn member(&self, name: &str) -> Result<SecretString> {
        let organization = organization::ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(name.to_owned()),
            created_at: Set(self.clock.now()),
            ..Default::default()
        };
        let organization = organization.insert(&self.database).await?;
        let member = member::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(organization.id),
            display_name: Set(name.to_owned()),
            role: Set(member::Role::Viewer),
            created_at: Set(self.clock.now()),
            ..Default::default()
        };
        let member = member.insert(&self.database).await?;
        let tokens = DevelopmentTokens::new(&self.keyring);
        Ok(tokens.issue(member.id, self.clock.now() + TimeDelta::hours(1)))
    }

    async fn ask(&self, token: &SecretString, query: &str) -> Result<Value> {
        let request = client()?.post(format!("http://{}/graphql", self.address));
        let request = request.bearer_auth(token.expose_secret()).json(&json!({ "query": query }));
        Ok(request.send().await?.json().await?)
    }

    /// All that a live query says until it has ended.
    async fn follow(&self, token: &SecretString, query: &str) -> Result<Vec<Value>> {
        let mut request = format!("ws://{}/graphql/ws", self.address).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        let (mut socket, _) = connect_async(request).await?;
        let authorization = format!("Bearer {}", token.expose_secret());
        let init = json!({ "type": "connection_init", "payload": { "authorization": authorization } });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
        socket.send(Message::text(init.to_string())).await?;
        let mut events = Vec::new();
        loop {
            let heard = socket.next().await.context("the socket was closed")??;
            let heard: Value = serde_json::from_str(heard.to_text()?)?;
            match heard["type"].as_str() {
                Some("connection_ack") => socket.send(Message::text(subscribe.to_string())).await?,
                Some("next") => events.push(heard["payload"]["data"].clone()),
                _ => return Ok(events),
            }
        }
    }
}

#[tokio::test]
async fn forgetful_resolvers_show_and_change_only_the_viewers_rows() -> Result<()> {
    let Some(server) = Forgetful::start().await? else { return Ok(()) };
    let (anna, ben) = (server.member("Anna").await?, server.member("Ben").await?);

    let renamed = server.ask(&anna, "mutation { renameMembers }").await?;

    assert_eq!(renamed["data"], json!({ "renameMembers": 1 }));
    for (token, seen) in [(&anna, ["Anna!"]), (&ben, ["Ben"]), (&anna, ["Anna!"])] {
        let told = server.ask(token, "{ members }").await?;
        assert_eq!(told["data"], json!({ "members": seen }));
        let told = server.follow(token, "subscription { members }").await?;
        assert_eq!(told, vec![json!({ "members": seen }); 2]);
    }
    Ok(())
}
