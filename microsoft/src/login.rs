//! Entra ID: where users consent and where tokens come from.

pub mod access_token;
pub mod admin_consent;
pub mod app_token;
pub mod authorize;
pub mod discovery;
mod id_token;
pub mod token;

use std::sync::Arc;

use reqwest::Method;
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use crate::base::Base;
use crate::error::problem::Service;
use crate::http::{Http, Repeat, Request, body_limit, patience};
use crate::oidc::keys::Issuer;
use crate::throttle::{Budget, Lane, Principal};
use crate::{Audience, MicrosoftError, Settings};

/// Microsoft's public names of the two services, for when their addresses cannot name them.
const ARM: &str = "https://management.azure.com";
const GRAPH: &str = "https://graph.microsoft.com";

/// Entra ID as seen by Tenantry's app registration.
#[derive(Clone)]
pub struct Login {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    base: Base,
    arm: String,
    graph: String,
    client_id: String,
    client_secret: SecretString,
    redirect_uri: Url,
    issuer: Issuer,
    app_tokens: app_token::AppTokens,
}

impl Login {
    pub(crate) fn new(settings: Settings, http: Http) -> Result<Self, MicrosoftError> {
        let (arm, graph) = resource_names(&Base::new(&settings.arm_url)?, &Base::new(&settings.graph_url)?);
        let base = Base::new(&settings.login_url)?;
        Ok(Self {
            inner: Arc::new(Inner {
                issuer: Issuer::new(http.clone(), base.at("/organizations/v2.0")),
                http,
                base,
                arm,
                graph,
                client_id: settings.client_id,
                client_secret: settings.client_secret,
                redirect_uri: settings.redirect_uri,
                app_tokens: app_token::AppTokens::default(),
            }),
        })
    }

    /// The id of Tenantry's app registration.
    pub fn client_id(&self) -> &str {
        &self.inner.client_id
    }

    /// The name of a service in scopes.
    fn resource_name(&self, audience: Audience) -> &str {
        match audience {
            Audience::Arm => &self.inner.arm,
            Audience::Graph => &self.inner.graph,
        }
    }
}

/// A request without a token; Entra's own budget is kept per tenant.
pub(crate) fn request(method: Method, url: Url, tenant: Uuid) -> Request {
    Request {
        service: Service::Login,
        method,
        url,
        content_type: None,
        body: bytes::Bytes::new(),
        bearer: None,
        basic: None,
        if_none_match: None,
        also_answers: &[],
        lane: Lane { tenant, subscription: None, budget: Budget::Login, principal: Principal::App },
        patience: patience::PERSON,
        body_limit: body_limit::OBJECT,
        repeat: Repeat::Always,
        correlation_id: Uuid::new_v4(),
        watch: None,
    }
}

/// A service is named by its address, as national clouds do. Where one address answers for both (a
/// simulator), only Microsoft's public names tell them apart.
fn resource_names(arm: &Base, graph: &Base) -> (String, String) {
    if arm.as_str() == graph.as_str() {
        (ARM.to_owned(), GRAPH.to_owned())
    } else {
        (arm.as_str().to_owned(), graph.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Base {
        Base::new(&Url::parse(url).expect("a URL")).expect("a base")
    }

    #[test]
    fn services_are_named_by_their_addresses() {
        assert_eq!(
            resource_names(
                &base("https://management.chinacloudapi.cn/"),
                &base("https://microsoftgraph.chinacloudapi.cn")
            ),
            (
                "https://management.chinacloudapi.cn".to_owned(),
                "https://microsoftgraph.chinacloudapi.cn".to_owned()
            )
        );
    }

    #[test]
    fn one_address_for_both_takes_the_public_names() {
        let simulator = base("http://127.0.0.1:41234");
        assert_eq!(resource_names(&simulator, &simulator), (ARM.to_owned(), GRAPH.to_owned()));
    }
}
