//! A person with a browser, who goes through a consent or signs in: for demonstrations and tests.

use std::collections::BTreeMap;
use std::sync::Mutex;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use crate::state::lock;

/// Redirects that a browser follows before it gives up.
const REDIRECTS: usize = 10;

/// What the person decides on Microsoft's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Grants what is asked for.
    Accept,
    /// Goes back without deciding.
    Cancel,
    /// Refuses.
    Refuse,
    /// A Conditional Access policy stops the person.
    Blocked,
}

impl Decision {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Cancel => "cancel",
            Self::Refuse => "refuse",
            Self::Blocked => "blocked",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Accept, Self::Cancel, Self::Refuse, Self::Blocked].into_iter().find(|one| one.name() == name)
    }
}

/// The page at which the person ended up.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The page.
    pub body: String,
    /// Its address: what Microsoft sent back is in its query.
    pub url: Url,
}

/// A person with a browser.
pub struct Person {
    user: String,
    client: Client,
    /// By host and name; the simulator and Tenantry are different hosts even on one machine.
    cookies: Mutex<BTreeMap<(String, String), String>>,
}

impl Person {
    /// Who signs in as the user of this key: `owner`, `reader`, …
    pub fn new(user: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a browser, not a client of Microsoft")]
        let client = Client::builder().redirect(Policy::none()).no_proxy().build();
        let client = client.expect("a client without settings of its own");
        Self { user: user.to_owned(), client, cookies: Mutex::default() }
    }

    /// Opens a link and signs in where that is asked for, with all cookies, until a page stays.
    pub async fn sign_in(&self, link: &str) -> reqwest::Result<Answer> {
        let mut to = link.to_owned();
        for _ in 0..REDIRECTS {
            let mut opened = self.visit(&to).await?;
            if let Opened::Stayed(page) = &opened
                && page.status == 200
                && page.url.path().ends_with("/oauth2/v2.0/authorize")
            {
                opened = self.decide(page.url.as_str(), Decision::Accept).await?;
            }
            match opened {
                Opened::Stayed(page) => return Ok(page),
                Opened::Passed { to: next, .. } => to = joined(&to, &next),
            }
        }
        self.follow(&to, None).await
    }

    /// What a browser sends as `Cookie` to this address; none: it has no cookie for it.
    pub fn cookie(&self, link: &str) -> Option<String> {
        let host = host(link);
        let cookies = lock(&self.cookies);
        let mine = cookies.iter().filter(|((known, _), _)| *known == host);
        let pairs: Vec<_> = mine.map(|((_, name), value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { None } else { Some(pairs.join("; ")) }
    }

    async fn visit(&self, link: &str) -> reqwest::Result<Opened> {
        let mut request = self.client.get(link);
        if let Some(cookie) = self.cookie(link) {
            request = request.header(COOKIE, cookie);
        }
        let response = request.send().await?;
        self.take(link, response.headers());
        opened(response).await
    }

    /// Keeps the cookies that came with an answer, and forgets those that were taken back.
    pub fn take(&self, link: &str, headers: &HeaderMap) {
        let mut cookies = lock(&self.cookies);
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()) {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let Some((name, value)) = pair.split_once('=') else { continue };
            let key = (host(link), name.trim().to_owned());
            if attributes.to_ascii_lowercase().contains("max-age=0") {
                cookies.remove(&key);
            } else {
                cookies.insert(key, value.to_owned());
            }
        }
    }

    /// Presses the one button of a page, with all cookies.
    pub async fn press(&self, page: &Answer) -> reqwest::Result<Opened> {
        let attribute = |tag: &str, name: &str| {
            let (_, rest) = tag.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let form = page.body.split_once("<form ").map(|(_, form)| form).unwrap_or_default();
        let fields = form.split("<input ").skip(1);
        let fields: Vec<_> =
            fields.filter_map(|tag| attribute(tag, "name").zip(attribute(tag, "value"))).collect();
        let to = joined(page.url.as_str(), &attribute(form, "action").unwrap_or_default());
        let mut request = self.client.post(&to).form(&fields);
        if let Some(cookie) = self.cookie(&to) {
            request = request.header(COOKIE, cookie);
        }
        let response = request.send().await?;
        self.take(&to, response.headers());
        opened(response).await
    }

    /// Follows the link to Microsoft, decides there, and follows Microsoft back.
    pub async fn consent(&self, link: &str, decision: Decision) -> reqwest::Result<Answer> {
        self.decide_each(link, &[decision]).await
    }

    /// The same where somebody first says who they are, and then decides for the whole tenant.
    pub async fn consent_as_administrator(&self, link: &str, decision: Decision) -> reqwest::Result<Answer> {
        self.decide_each(link, &[Decision::Accept, decision]).await
    }

    /// Follows the link, and decides at each of Microsoft's pages that it leads to.
    async fn decide_each(&self, link: &str, decisions: &[Decision]) -> reqwest::Result<Answer> {
        let (mut to, cookie) = match self.open(link).await? {
            Opened::Passed { to, cookie } => (to, cookie),
            Opened::Stayed(answer) => return Ok(answer),
        };
        for decision in decisions {
            let back = match self.decide(&to, *decision).await? {
                Opened::Passed { to, .. } => to,
                Opened::Stayed(answer) => return Ok(answer),
            };
            match self.take_back(&back, cookie.as_deref()).await? {
                Opened::Passed { to: next, .. } => to = next,
                Opened::Stayed(answer) => return Ok(answer),
            }
        }
        self.follow(&to, cookie.as_deref()).await
    }

    /// Follows Microsoft back, which may lead on.
    pub async fn take_back(&self, link: &str, cookie: Option<&str>) -> reqwest::Result<Opened> {
        let mut request = self.client.get(link);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        opened(request.send().await?).await
    }

    /// Opens a link that passes the browser on: where to, and with which cookie.
    pub async fn open(&self, link: &str) -> reqwest::Result<Opened> {
        opened(self.client.get(link).send().await?).await
    }

    /// Reads Microsoft's page at `authorize`, and decides.
    pub async fn decide(&self, authorize: &str, decision: Decision) -> reqwest::Result<Opened> {
        let page = self.client.get(authorize).send().await?;
        if !page.status().is_success() {
            return Ok(Opened::Stayed(answer(page).await?));
        }
        let url = page.url().clone();
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        form.push(("user".to_owned(), self.user.clone()));
        form.push(("decision".to_owned(), decision.name().to_owned()));
        let mut action = url;
        action.set_query(None);
        opened(self.client.post(action).form(&form).send().await?).await
    }

    /// Opens `link` with the cookie that the browser was given before.
    pub async fn follow(&self, link: &str, cookie: Option<&str>) -> reqwest::Result<Answer> {
        let mut request = self.client.get(link);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        answer(request.send().await?).await
    }
}

/// What became of a link.
#[derive(Debug)]
pub enum Opened {
    /// It led elsewhere.
    Passed {
        /// Where.
        to: String,
        /// The cookie that came with it.
        cookie: Option<String>,
    },
    /// It was a page.
    Stayed(Answer),
}

fn host(link: &str) -> String {
    Url::parse(link).ok().map(|url| url.authority().to_owned()).unwrap_or_default()
}

fn joined(base: &str, link: &str) -> String {
    let joined = Url::parse(base).and_then(|base| base.join(link));
    joined.map_or_else(|_| link.to_owned(), |joined| joined.to_string())
}

async fn opened(response: Response) -> reqwest::Result<Opened> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let cookie = header(SET_COOKIE).and_then(|cookie| cookie.split(';').next().map(str::to_owned));
    match header(LOCATION) {
        Some(to) => Ok(Opened::Passed { to, cookie }),
        None => Ok(Opened::Stayed(answer(response).await?)),
    }
}

async fn answer(response: Response) -> reqwest::Result<Answer> {
    let (status, url) = (response.status().as_u16(), response.url().clone());
    Ok(Answer { status, body: response.text().await?, url })
}
