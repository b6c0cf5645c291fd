//! Who makes a call, and the link that turns that into a token, a budget and one repeat after a 401.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

use crate::base::Base;
use crate::error::problem::Service;
use crate::http::{Download, Http, Repeat, Reply, Request, body_limit, decode, patience};
use crate::throttle::{Budget, Lane, Principal};
use crate::{Audience, Freshness, Login, MicrosoftError, Watch};

/// As whom a call is made.
#[derive(Clone)]
pub enum Caller {
    /// Tenantry's service principal in a tenant.
    App {
        /// The tenant.
        tenant: Uuid,
    },
    /// The same with a token asked for after this call began: only a new token is sure to see a new role.
    FreshApp {
        /// The tenant.
        tenant: Uuid,
    },
    /// The consenting user.
    Delegated {
        /// The tenant the token is for.
        tenant: Uuid,
        /// The delegated token.
        token: SecretString,
        /// Watches over every request.
        watch: Arc<dyn Watch>,
    },
    /// Whoever a token belongs to that was pasted to be diagnosed.
    Pasted {
        /// The tenant the token is for.
        tenant: Uuid,
        /// The token.
        token: SecretString,
    },
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = match self {
            Self::App { .. } => "App",
            Self::FreshApp { .. } => "FreshApp",
            Self::Delegated { .. } => "Delegated",
            Self::Pasted { .. } => "Pasted",
        };
        f.debug_struct(who).field("tenant", &self.tenant()).finish_non_exhaustive()
    }
}

impl Caller {
    /// The tenant in which the call is made.
    pub fn tenant(&self) -> Uuid {
        match self {
            Self::App { tenant }
            | Self::FreshApp { tenant }
            | Self::Delegated { tenant, .. }
            | Self::Pasted { tenant, .. } => *tenant,
        }
    }

    /// The same caller for the pages after the first: the token is fresh by then.
    pub(crate) fn settled(self) -> Self {
        match self {
            Self::FreshApp { tenant } => Self::App { tenant },
            other => other,
        }
    }
}

/// One call, before it has a caller.
#[derive(Clone)]
pub(crate) struct Call {
    pub method: Method,
    pub url: Url,
    body: Option<Bytes>,
    subscription: Option<Uuid>,
    budget: Budget,
    patience: Duration,
    body_limit: usize,
    if_none_match: Option<HeaderValue>,
    also_answers: &'static [u16],
    repeat: Repeat,
    correlation_id: Uuid,
}

impl Call {
    pub fn new(method: Method, url: Url, budget: Budget) -> Self {
        Self {
            method,
            url,
            budget,
            body: None,
            subscription: None,
            patience: patience::JOB,
            body_limit: body_limit::OBJECT,
            if_none_match: None,
            also_answers: &[],
            repeat: Repeat::Always,
            correlation_id: Uuid::new_v4(),
        }
    }

    /// A call to Resource Manager.
    pub fn of_resource_manager(method: Method, url: Url) -> Self {
        let budget = Budget::of_resource_manager(&method);
        Self::new(method, url, budget)
    }

    /// The id that joins the requests of this call.
    pub fn correlation_id(&self) -> Uuid {
        self.correlation_id
    }

    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Charges the call to the subscription's budget instead of the tenant's.
    pub fn of_subscription(mut self, subscription: Uuid) -> Self {
        self.subscription = Some(subscription);
        self
    }

    /// Admits answers as large as a page of a list.
    pub fn paged(mut self) -> Self {
        self.body_limit = body_limit::PAGE;
        self
    }

    /// Asks only for what is not the caller's already.
    pub fn if_none_match(mut self, tag: Option<HeaderValue>) -> Self {
        self.if_none_match = tag;
        self
    }

    /// Takes these statuses, too, as answers.
    pub fn answered_also_by(mut self, statuses: &'static [u16]) -> Self {
        self.also_answers = statuses;
        self
    }

    /// Is repeated only if it never arrived: its budget is small, and failures count.
    pub fn sparing(mut self) -> Self {
        self.repeat = Repeat::IfNeverReceived;
        self
    }

    /// Waits out whole quota windows.
    pub fn patient(mut self) -> Self {
        self.patience = patience::STREAM;
        self
    }
}

/// The way to one service.
#[derive(Clone)]
pub(crate) struct Link {
    http: Http,
    login: Login,
    service: Service,
    audience: Audience,
    base: Base,
}

impl Link {
    pub fn new(http: Http, login: Login, service: Service, audience: Audience, base: Base) -> Self {
        Self { http, login, service, audience, base }
    }

    pub fn base(&self) -> &Base {
        &self.base
    }

    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Opens a link that needs no token and must get none.
    pub async fn download(&self, link: &Url, call: &Call) -> Result<Download, MicrosoftError> {
        self.http.download(link, call.correlation_id).await
    }

    /// How long an answer asks to wait.
    pub fn retry_after(&self, reply: &Reply) -> Option<Duration> {
        self.http.retry_after(&reply.headers)
    }

    /// Makes the call. A service principal's token that is refused is replaced once.
    pub async fn send(&self, caller: &Caller, call: &Call) -> Result<Reply, MicrosoftError> {
        match caller {
            Caller::Delegated { token, .. } | Caller::Pasted { token, .. } => {
                self.send_with(caller, call, token.clone()).await
            }
            Caller::FreshApp { tenant } => {
                let token = self.login.app_token(*tenant, self.audience, Freshness::Fresh).await?;
                self.send_with(caller, call, token.secret).await
            }
            Caller::App { tenant } => {
                let token = self.login.app_token(*tenant, self.audience, Freshness::Cached).await?;
                match self.send_with(caller, call, token.secret).await {
                    Err(MicrosoftError::TokenExpired { .. }) => {
                        let token = self.login.app_token(*tenant, self.audience, Freshness::Fresh).await?;
                        self.send_with(caller, call, token.secret).await
                    }
                    answered => answered,
                }
            }
        }
    }

    /// Makes the call and reads the answer.
    pub async fn read<T>(&self, caller: &Caller, call: &Call) -> Result<T, MicrosoftError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        decode(self.send(caller, call).await?.body).await
    }

    async fn send_with(
        &self,
        caller: &Caller,
        call: &Call,
        token: SecretString,
    ) -> Result<Reply, MicrosoftError> {
        let principal = match caller {
            Caller::Delegated { token, .. } | Caller::Pasted { token, .. } => Principal::bearing(token),
            Caller::App { .. } | Caller::FreshApp { .. } => Principal::App,
        };
        let request = Request {
            service: self.service,
            method: call.method.clone(),
            url: call.url.clone(),
            content_type: call.body.is_some().then(|| HeaderValue::from_static("application/json")),
            body: call.body.clone().unwrap_or_default(),
            bearer: Some(token),
            if_none_match: call.if_none_match.clone(),
            basic: None,
            lane: Lane {
                tenant: caller.tenant(),
                subscription: call.subscription,
                budget: call.budget,
                principal,
            },
            patience: call.patience,
            body_limit: call.body_limit,
            also_answers: call.also_answers,
            repeat: call.repeat,
            correlation_id: call.correlation_id,
            watch: match caller {
                Caller::Delegated { watch, .. } => Some(Arc::clone(watch)),
                Caller::App { .. } | Caller::FreshApp { .. } | Caller::Pasted { .. } => None,
            },
        };
        self.http.send(&request).await
    }
}
