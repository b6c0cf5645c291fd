//! Microsoft Graph: the directory of a tenant, as far as the granted permissions show it.

mod concealment;
pub mod delta;
pub mod groups;
pub mod organization;
pub mod permissions;
pub mod product_name;
pub mod report;
pub mod service_principal;
pub mod sign_ins;
pub mod subscribed_skus;
pub mod users;

use reqwest::Method;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::MicrosoftError;
use crate::caller::{Call, Caller, Link};
use crate::throttle::Budget;
use report::hosts::ReportHosts;

/// Microsoft Graph. A missing permission is `Forbidden`, so that callers can say what it hides.
#[derive(Clone)]
pub struct Graph {
    link: Link,
    client_id: String,
    report_hosts: ReportHosts,
}

impl Graph {
    pub(crate) fn new(link: Link, client_id: String, report_hosts: ReportHosts) -> Self {
        Self { link, client_id, report_hosts }
    }

    async fn get<T>(&self, tenant: Uuid, path_and_query: &str) -> Result<T, MicrosoftError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.link.read(&Caller::App { tenant }, &self.call(path_and_query)).await
    }

    fn call(&self, path_and_query: &str) -> Call {
        self.call_of(path_and_query, Budget::Graph)
    }

    fn call_of(&self, path_and_query: &str, budget: Budget) -> Call {
        let url = self.link.base().at(&format!("/v1.0{path_and_query}"));
        Call::new(Method::GET, url, budget)
    }
}
