//! Microsoft Graph: the directory of a tenant, as far as the granted permissions show it.

pub mod organization;
pub mod service_principal;

use reqwest::Method;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::MicrosoftError;
use crate::caller::{Call, Caller, Link};
use crate::throttle::Budget;

/// Microsoft Graph. A missing permission is `Forbidden`, so that callers can say what it hides.
#[derive(Clone)]
pub struct Graph {
    link: Link,
    client_id: String,
}

impl Graph {
    pub(crate) fn new(link: Link, client_id: String) -> Self {
        Self { link, client_id }
    }

    async fn get<T>(&self, tenant: Uuid, path_and_query: &str) -> Result<T, MicrosoftError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.link.read(&Caller::App { tenant }, &self.call(path_and_query)).await
    }

    fn call(&self, path_and_query: &str) -> Call {
        let url = self.link.base().at(&format!("/v1.0{path_and_query}"));
        Call::new(Method::GET, url, Budget::Graph)
    }
}
