//! Microsoft Graph, as an app with some permissions sees it.

mod batch;
mod delta;
mod groups;
mod permissions;
mod report_modes;
mod reports;
mod throttling;
mod users;

use reqwest::Method;
use serde_json::Value;
use simulator::Config;

use crate::cloud::{Cloud, GRAPH, Got, got};

pub const ALL: [&str; 8] = [
    "User.Read.All",
    "Group.Read.All",
    "Reports.Read.All",
    "Organization.Read.All",
    "AuditLog.Read.All",
    "ReportSettings.Read.All",
    "Application.Read.All",
    "Directory.Read.All",
];

/// A cloud, and a token of our app for Graph.
pub struct Graph {
    pub cloud: Cloud,
    pub token: String,
}

impl Graph {
    /// With these permissions.
    pub async fn granted(config: Config, permissions: &[&str]) -> Self {
        let cloud = Cloud::with(config);
        cloud.simulator.grant_permissions(permissions);
        let token = cloud.ask_app_token(GRAPH).await.token();
        Self { cloud, token }
    }

    /// With the three that Tenantry asks for.
    pub async fn usual() -> Self {
        Self::granted(Config::default(), &ALL[..3]).await
    }

    pub async fn get(&self, path: &str) -> Got {
        self.cloud.get(&self.token, &placed(path)).await
    }

    pub async fn get_with(&self, path: &str, name: &str, value: &str) -> Got {
        let request = self.cloud.request(Method::GET, &placed(path)).bearer_auth(&self.token);
        got(request.header(name, value)).await
    }

    /// Follows a list's links to the last page.
    pub async fn pages(&self, path: &str) -> Vec<Got> {
        let mut pages = vec![self.get(path).await];
        while let Some(link) = pages[pages.len() - 1].json["@odata.nextLink"].as_str() {
            assert!(pages.len() < 5_000, "a list without end");
            let link = link.to_owned();
            pages.push(self.get(&link).await);
        }
        pages
    }

    /// The rows of all pages.
    pub async fn rows(&self, path: &str) -> Vec<Value> {
        self.pages(path).await.iter().flat_map(|page| page.rows().to_vec()).collect()
    }

    /// A whole round of a delta query: its rows, and the link to come back with.
    pub async fn round(&self, path: &str) -> (Vec<Value>, String) {
        let pages = self.pages(path).await;
        let link = pages[pages.len() - 1].json["@odata.deltaLink"].as_str();
        let link = link.unwrap_or_else(|| panic!("no link: {:?}", pages[pages.len() - 1])).to_owned();
        (pages.iter().flat_map(|page| page.rows().to_vec()).collect(), link)
    }

    /// The report behind its redirect, as it is downloaded; its text without a byte order mark.
    pub async fn report(&self, call: &str) -> Got {
        got(self.cloud.request(Method::GET, &self.link(call).await)).await
    }

    /// The same, byte by byte.
    pub async fn file(&self, call: &str) -> Vec<u8> {
        let file = self.cloud.request(Method::GET, &self.link(call).await).send().await.expect("a file");
        file.bytes().await.expect("a body").to_vec()
    }

    async fn link(&self, call: &str) -> String {
        let redirect = self.get(&format!("/reports/{call}")).await;
        assert_eq!(redirect.status, 302, "{call}: {}", redirect.text);
        redirect.header("location").expect("a link").to_owned()
    }
}

/// A path of Graph's, or a link.
fn placed(path: &str) -> String {
    if path.starts_with("http") { path.to_owned() } else { format!("/v1.0{path}") }
}

/// The text of a property.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("no {name} in {row}"))
}
