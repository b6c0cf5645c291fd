//! The only crate that calls Microsoft: login (Entra ID), arm (Azure Resource Manager), graph, consumption (EA
//! reporting).
//!
//! There is no mock behind it: the four base URLs come from the settings, so a simulator takes
//! Microsoft's place by being named there.

mod base;
mod caller;
mod error;
mod http;
mod pages;
mod throttle;
mod timestamp;
mod watch;

pub mod arm;
pub mod consumption;
pub mod graph;
pub mod login;
pub mod oidc;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use url::Url;

pub use arm::Arm;
pub use arm::conditions::Verdict;
pub use arm::owners::{Owner, OwnerRole};
pub use arm::permissions::Permissions;
pub use arm::providers::ResourceType;
pub use arm::resource_groups::ResourceGroup;
pub use arm::resources::Resource;
pub use arm::role_assignments::{Role, RoleAssignment};
pub use arm::subscriptions::{Subscription, SubscriptionState};
pub use arm::tenants::TenantInfo;
pub use arm::usage::RoleAssignmentUsage;
pub use caller::Caller;
pub use consumption::Consumption;
pub use error::{Detail, FixableBy, MicrosoftError};
pub use graph::Graph;
pub use graph::delta::{self, DeltaLink};
pub use graph::groups::{Group, GroupMember, GroupMemberKind, MembershipChange};
pub use graph::organization::Organization;
pub use graph::permissions::{Grants, Permission, REPLICATION_WAITS};
pub use graph::product_name::{Product, product_name};
pub use graph::report::active_user::ActiveUser;
pub use graph::report::active_user_counts::ActiveUserCounts;
pub use graph::report::app_user::AppUser;
pub use graph::report::etag::ETag;
pub use graph::report::hosts::ReportHosts;
pub use graph::report::mailbox::Mailbox;
pub use graph::report::one_drive::OneDrive;
pub use graph::report::period::Period;
pub use graph::report::rows::{Fetched, Rows};
pub use graph::report::service_counts::ServiceCounts;
pub use graph::report::site::Site;
pub use graph::report::table::Refused;
pub use graph::report::teams_user::TeamsUser;
pub use graph::report::{Report, ReportKind};
pub use graph::service_principal::ServicePrincipal;
pub use graph::sign_ins::SignIn;
pub use graph::subscribed_skus::{SubscribedSku, Units};
pub use graph::users::User;
pub use login::Login;
pub use login::access_token::Signature;
pub use login::app_token::{AppToken, Audience, Freshness};
pub use login::authorize::{AuthorizationRequest, Purpose, Refusal, authorization_refusal};
pub use login::token::DelegatedGrant;
pub use oidc::jwt::{Identity, JwtError};
pub use oidc::{Provider, ProviderSettings, SignInRequest};
pub use throttle::sharing::{Away, Seen, SharedBudgets};
pub use watch::{DelegatedEnd, DelegatedRequest, Watch};

use base::Base;
use caller::Link;
use error::problem::Service;
use http::Http;
use throttle::Throttle;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Where Microsoft is, and who Tenantry is to it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Entra ID: `https://login.microsoftonline.com`.
    pub login_url: Url,
    /// Azure Resource Manager: `https://management.azure.com`.
    pub arm_url: Url,
    /// Microsoft Graph: `https://graph.microsoft.com`.
    pub graph_url: Url,
    /// Azure's EA reporting service: `https://consumption.azure.com`.
    pub consumption_url: Url,
    /// The hosts on which usage reports are handed out.
    pub report_hosts: ReportHosts,
    /// The id of Tenantry's app registration.
    pub client_id: String,
    /// The value of its client secret.
    pub client_secret: SecretString,
    /// Where Entra sends a consenting user back to; registered exactly so.
    pub redirect_uri: Url,
}

/// The way to Microsoft; cheap to clone, and clones share tokens, keys and budgets.
#[derive(Clone)]
pub struct Microsoft {
    login: Login,
    arm: Arm,
    graph: Graph,
    consumption: Consumption,
}

impl Microsoft {
    /// Makes the client, with budgets of its own; nothing is sent yet.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, MicrosoftError> {
        Self::over(settings, &Http::new(clock)?)
    }

    /// Makes a client that spends its budgets together with all that share them; nothing is sent yet.
    pub fn sharing(
        settings: Settings,
        clock: Clock,
        budgets: Arc<dyn SharedBudgets>,
    ) -> Result<Self, MicrosoftError> {
        Self::over(settings, &Http::with(clock, Throttle::new(Some(budgets)))?)
    }

    fn over(settings: Settings, http: &Http) -> Result<Self, MicrosoftError> {
        let arm_base = Base::new(&settings.arm_url)?;
        let graph_base = Base::new(&settings.graph_url)?;
        let consumption = Consumption::new(http.clone(), Base::new(&settings.consumption_url)?);
        let (client_id, report_hosts) = (settings.client_id.clone(), settings.report_hosts.clone());
        let login = Login::new(settings, http.clone())?;
        let link = |service, audience, base| Link::new(http.clone(), login.clone(), service, audience, base);
        Ok(Self {
            arm: Arm::new(link(Service::Arm, Audience::Arm, arm_base)),
            graph: Graph::new(link(Service::Graph, Audience::Graph, graph_base), client_id, report_hosts),
            consumption,
            login,
        })
    }

    /// Entra ID: consents, tokens, tenants.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Azure Resource Manager: subscriptions, roles, resources.
    pub fn arm(&self) -> &Arm {
        &self.arm
    }

    /// Microsoft Graph: the directory.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Azure's EA reporting service: enrollment keys.
    pub fn consumption(&self) -> &Consumption {
        &self.consumption
    }
}

impl std::fmt::Debug for Microsoft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Microsoft")
    }
}
