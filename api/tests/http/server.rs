//! A server on a free port, and the clients that call it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use api::authentication::{Authenticate, DevelopmentTokens, Presented, TokenRefused};
use api::http::{Check, HttpServices, HttpSettings, RunningServer, Server};
use api::limits::Limits;
use api::viewer::{Actor, Viewer};
use chrono::{DateTime, TimeDelta, Utc};
use entity::member::Role;
use entity::{Clock, Keyring};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::schema::{self, UnderWay};

pub const VIEWER: Viewer = Viewer {
    organization_id: Uuid::from_u128(1),
    member_id: Uuid::from_u128(2),
    actor: Actor::Member(Role::Editor),
    limited_by: None,
};

/// An administrator of the same organization.
pub const ADMIN: Viewer =
    Viewer { member_id: Uuid::from_u128(3), actor: Actor::Member(Role::Admin), ..VIEWER };

/// Knows two members, by their development tokens.
pub struct Doorman {
    pub tokens: DevelopmentTokens,
    clock: Clock,
}

impl Authenticate for Doorman {
    fn authenticate<'a>(
        &'a self,
        presented: &'a Presented,
    ) -> BoxFuture<'a, Result<Option<Viewer>, TokenRefused>> {
        let verify = |token: &SecretString| self.tokens.verify(token.expose_secret(), self.clock.now());
        let member = presented.bearer.as_ref().map(verify).transpose();
        let viewer = |id| [VIEWER, ADMIN].into_iter().find(|viewer| viewer.member_id == id);
        ready(member.map(|member| member.and_then(viewer))).boxed()
    }
}

pub const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

pub struct TestServer {
    pub running: RunningServer,
    pub client: reqwest::Client,
    pub under_way: UnderWay,
    pub shutdown: CancellationToken,
    pub services: HttpServices,
    pub doorman: Arc<Doorman>,
    seconds: Arc<AtomicI64>,
}

impl TestServer {
    pub fn start() -> Self {
        Self::with(HttpSettings::default())
    }

    pub fn in_development() -> Self {
        Self::with(HttpSettings { development: true, ..HttpSettings::default() })
    }

    pub fn limited(limits: Limits) -> Self {
        Self::with(HttpSettings { limits, ..HttpSettings::default() })
    }

    pub fn checked(readiness: Vec<Check>) -> Self {
        Self::with(HttpSettings { readiness, ..HttpSettings::default() })
    }

    #[expect(clippy::disallowed_methods, reason = "a test's client calls nobody but the server under test")]
    pub fn with(settings: HttpSettings) -> Self {
        let (schema, under_way) = schema::build();
        let seconds = Arc::new(AtomicI64::new(1_800_000_000));
        let doorman = Arc::new(Doorman {
            tokens: DevelopmentTokens::new(&Keyring::new([7; 32], [])),
            clock: clock(Arc::clone(&seconds)),
        });
        let services = HttpServices {
            authenticator: Arc::<Doorman>::clone(&doorman),
            routes: Arc::new(|routes| {
                routes.route("/extra", actix_web::web::get().to(|| async { "extra" }));
            }),
        };
        let shutdown = CancellationToken::new();
        let running = Server::start(settings, schema, services.clone(), shutdown.clone());
        let running = running.expect("the server starts");
        Self { running, client: reqwest::Client::new(), under_way, shutdown, services, doorman, seconds }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address())
    }

    pub fn advance(&self, by: TimeDelta) {
        self.seconds.fetch_add(by.num_seconds(), Ordering::SeqCst);
    }

    pub fn token(&self) -> String {
        self.token_of(&VIEWER)
    }

    pub fn token_of(&self, viewer: &Viewer) -> String {
        let expires_at = time(&self.seconds) + TimeDelta::hours(1);
        self.doorman.tokens.issue(viewer.member_id, expires_at).expose_secret().to_owned()
    }

    /// A POST with a token, accepting the newer media type.
    pub fn post(&self) -> RequestBuilder {
        self.client
            .post(self.url("/graphql"))
            .bearer_auth(self.token())
            .header("content-type", "application/json")
            .header("accept", GRAPHQL_RESPONSE)
    }

    pub async fn ask(&self, query: &str) -> Answered {
        self.send(self.post().body(json!({ "query": query }).to_string())).await
    }

    pub async fn send(&self, request: RequestBuilder) -> Answered {
        Answered::of(request.send().await.expect("the server answers")).await
    }
}

/// An answer that was read.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answered {
    async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.expect("the body arrives");
        let json = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, json }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text"))
    }

    /// The code of the first error.
    pub fn code(&self) -> &str {
        self.json["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
    }

    /// Asserts that nothing was executed, and why.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
        assert!(self.json.get("data").is_none(), "{}", self.text);
        let error = &self.json["errors"][0];
        assert_eq!(error["extensions"]["traceId"], self.header("x-request-id"));
        error
    }
}

fn time(seconds: &AtomicI64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds.load(Ordering::SeqCst), 0).expect("a time of this century")
}

fn clock(seconds: Arc<AtomicI64>) -> Clock {
    Clock::from_fn(move || time(&seconds))
}
