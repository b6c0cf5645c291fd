//! A simulated cloud with a clock that a test moves, and a client that follows no redirect.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::DateTime;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use simulator::{BuiltInRole, Config, Decision, Opened, Person, Simulator};
use url::Url;
use uuid::Uuid;

pub const REDIRECT_URI: &str = "http://127.0.0.1:8080/consent/callback";
pub const ARM: &str = "https://management.azure.com/.default";
pub const GRAPH: &str = "https://graph.microsoft.com/.default";
/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// 2023-03-19, 08:54:46 UTC.
const BEGINNING: i64 = 1_679_216_086;

/// Which part a subscription plays, by its place in a tenant of twelve or more.
pub const OWNED: usize = 1;
pub const NOT_PERMITTED: usize = 3;
pub const DISABLED: usize = 7;
pub const INHERITED: usize = 9;
/// In a tenant of twenty or more.
pub const CONDITIONED: usize = 14;

pub struct Cloud {
    pub simulator: Simulator,
    seconds: Arc<AtomicI64>,
    http: Client,
}

/// What came back.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null unless the text is JSON.
    pub json: Value,
}

impl Got {
    /// The code of an error as Azure Resource Manager writes it.
    pub fn error(&self) -> (u16, &str) {
        (self.status, self.json["error"]["code"].as_str().unwrap_or_default())
    }

    pub fn message(&self) -> &str {
        self.json["error"]["message"].as_str().unwrap_or_default()
    }

    /// Status, word and number of an error as the token endpoint writes it.
    pub fn refusal(&self) -> (u16, &str, u64) {
        let number = self.json["error_codes"][0].as_u64().unwrap_or_default();
        (self.status, self.json["error"].as_str().unwrap_or_default(), number)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn rows(&self) -> &[Value] {
        self.json["value"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    pub fn token(&self) -> String {
        self.json["access_token"].as_str().expect("a token").to_owned()
    }
}

impl Cloud {
    pub fn start() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        let seconds = Arc::new(AtomicI64::new(BEGINNING));
        let told = Arc::clone(&seconds);
        let clock = move || DateTime::from_timestamp(told.load(Ordering::SeqCst), 0).unwrap_or_default();
        let config = Config { clock: Arc::new(clock), ..config };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        #[expect(clippy::disallowed_methods, reason = "a test, not a client of Microsoft")]
        let http = Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        Self { simulator: Simulator::start(config, listen).expect("a simulator"), seconds, http }
    }

    /// Moves the clock.
    pub fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> i64 {
        self.seconds.load(Ordering::SeqCst)
    }

    /// The id of the subscription at this place.
    pub fn subscription(&self, place: usize) -> Uuid {
        self.simulator.subscriptions()[place].id
    }

    pub fn tenant(&self) -> String {
        self.simulator.tenant_id().to_string()
    }

    /// The object id of a user.
    pub fn user_id(&self, key: &str) -> Uuid {
        let users = self.simulator.users();
        users.iter().find(|user| user.key == key).expect("a user of this key").object_id
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.simulator.base_url();
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{base}{path}") };
        self.http.request(method, url)
    }

    pub async fn get(&self, token: &str, path: &str) -> Got {
        got(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Got {
        got(self.request(Method::DELETE, path).bearer_auth(token)).await
    }

    pub async fn put(&self, token: &str, path: &str, body: &Value) -> Got {
        got(self.request(Method::PUT, path).bearer_auth(token).json(body)).await
    }

    /// Asks Resource Graph.
    pub async fn query(&self, token: &str, body: &Value) -> Got {
        let path = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01";
        got(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    /// Follows a list's links to the last page.
    pub async fn pages(&self, token: &str, path: &str) -> Vec<Got> {
        let mut pages = vec![self.get(token, path).await];
        while let Some(link) = pages[pages.len() - 1].json["nextLink"].as_str() {
            assert!(pages.len() < 5_000, "a list without end");
            let link = link.to_owned();
            pages.push(self.get(token, &link).await);
        }
        pages
    }

    /// Gives a principal a role, as the holder of the token.
    pub async fn assign(&self, token: &str, at: Uuid, name: Uuid, wanted: (Uuid, BuiltInRole)) -> Got {
        let (principal, role) = wanted;
        let mut body = assignment(at, principal, &role.id().to_string());
        if Some(principal) == self.simulator.service_principal_id() {
            body["properties"]["principalType"] = json!("ServicePrincipal");
        }
        self.put(token, &assignment_path(at, &name.to_string()), &body).await
    }

    /// Asks the token endpoint.
    pub async fn ask_token(&self, tenant: &str, fields: &[(&str, &str)]) -> Got {
        let path = format!("/{tenant}/oauth2/v2.0/token");
        got(self.request(Method::POST, &path).form(fields)).await
    }

    pub async fn ask_app_token(&self, scope: &str) -> Got {
        let (id, secret) = (self.simulator.client_id().to_string(), self.simulator.client_secret());
        self.client_credentials(&id, &secret, scope).await
    }

    /// A token of our service principal for Azure Resource Manager.
    pub async fn app_token(&self) -> String {
        self.ask_app_token(ARM).await.token()
    }

    /// A token of the other app registration, which is Owner of everything.
    pub async fn automation_token(&self, scope: &str) -> String {
        let (id, secret) = self.simulator.automation();
        self.client_credentials(&id.to_string(), &secret, scope).await.token()
    }

    async fn client_credentials(&self, id: &str, secret: &str, scope: &str) -> Got {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
            ("scope", scope),
        ];
        self.ask_token(&self.tenant(), &fields).await
    }

    /// The address of the sign-in page, with some of its parameters replaced, or left out.
    pub fn authorize_link(&self, tenant: &str, changes: &[(&str, Option<&str>)]) -> String {
        let id = self.simulator.client_id().to_string();
        let usual = [
            ("client_id", id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "https://management.azure.com/user_impersonation openid profile"),
            ("state", "state-1"),
            ("nonce", "nonce-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let base = self.simulator.base_url();
        let url = Url::parse_with_params(
            &format!("{base}/{tenant}/oauth2/v2.0/authorize"),
            replaced(&usual, changes),
        );
        url.expect("an address").into()
    }

    /// Opens the sign-in page.
    pub async fn open(&self, link: &str) -> Got {
        got(self.request(Method::GET, link)).await
    }

    /// Where the person is sent back to, after deciding.
    pub async fn sent_back(&self, user: &str, decision: Decision) -> Url {
        let link = self.authorize_link("organizations", &[]);
        match Person::new(user).decide(&link, decision).await.expect("an answer") {
            Opened::Passed { to, .. } => Url::parse(&to).expect("an address"),
            Opened::Stayed(page) => panic!("stayed: {}", page.body),
        }
    }

    /// An authorization code of this user.
    pub async fn code(&self, user: &str) -> String {
        let back = self.sent_back(user, Decision::Accept).await;
        value(&back, "code").expect("a code")
    }

    /// Redeems a code, with some of the fields replaced, or left out.
    pub async fn redeem(&self, tenant: &str, code: &str, changes: &[(&str, Option<&str>)]) -> Got {
        let (id, secret) = (self.simulator.client_id().to_string(), self.simulator.client_secret());
        let usual = [
            ("grant_type", "authorization_code"),
            ("client_id", id.as_str()),
            ("client_secret", secret.as_str()),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.ask_token(tenant, &replaced(&usual, changes)).await
    }

    /// The delegated token of this user.
    pub async fn user_token(&self, user: &str) -> String {
        let code = self.code(user).await;
        self.redeem(&self.tenant(), &code, &[]).await.token()
    }
}

/// Pairs with some of their values replaced, left out, or added.
fn replaced<'a>(
    usual: &[(&'a str, &'a str)],
    changes: &[(&'a str, Option<&'a str>)],
) -> Vec<(&'a str, &'a str)> {
    let is_changed = |name| changes.iter().any(|(known, _)| *known == name);
    let kept = usual.iter().copied().filter(|(name, _)| !is_changed(*name));
    let new = changes.iter().filter_map(|&(name, value)| Some((name, value?)));
    kept.chain(new).collect()
}

pub async fn got(request: RequestBuilder) -> Got {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a body");
    Got { status, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
}

/// A call with this header as its authorization.
pub fn authorized(request: RequestBuilder, header: &str) -> RequestBuilder {
    request.header(AUTHORIZATION, header)
}

/// A parameter of an address.
pub fn value(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

pub fn assignment(at: Uuid, principal: Uuid, role: &str) -> Value {
    let role = format!("/subscriptions/{at}/providers/Microsoft.Authorization/roleDefinitions/{role}");
    json!({ "properties": { "roleDefinitionId": role, "principalId": principal } })
}

pub fn assignment_path(at: Uuid, name: &str) -> String {
    format!(
        "/subscriptions/{at}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
    )
}

pub fn subscription_path(id: Uuid) -> String {
    format!("/subscriptions/{id}?api-version=2022-12-01")
}
