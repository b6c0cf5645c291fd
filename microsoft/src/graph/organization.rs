//! A tenant's name and domains.
//!
//! <https://learn.microsoft.com/en-us/graph/api/organization-list>; needs `User.Read.All` or more.

use serde::Deserialize;
use uuid::Uuid;

use crate::error::codes;
use crate::{Caller, Graph, MicrosoftError};

/// What the directory says about its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The tenant's id.
    pub tenant_id: Uuid,
    /// The company's name.
    pub display_name: Option<String>,
    /// The domain that new users get.
    pub default_domain: Option<String>,
    /// Every verified domain.
    pub domains: Vec<String>,
}

#[derive(Deserialize)]
struct List {
    value: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: Uuid,
    display_name: Option<String>,
    #[serde(default)]
    verified_domains: Vec<Domain>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Domain {
    name: String,
    #[serde(default)]
    is_default: bool,
}

impl Graph {
    /// The tenant as its directory describes it.
    pub async fn organization(&self, tenant: Uuid) -> Result<Organization, MicrosoftError> {
        let list: List = self.get(tenant, "/organization?$select=id,displayName,verifiedDomains").await?;
        let row = list.value.into_iter().next();
        row.map(Organization::from)
            .ok_or_else(|| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the directory has no organization"))
    }
}

impl Graph {
    /// Asks with somebody else's token, to learn whether Microsoft takes it. `Forbidden`: it does, but the token
    /// may not read the directory.
    pub async fn check_token(&self, caller: &Caller) -> Result<(), MicrosoftError> {
        self.link.send(caller, &self.call("/organization?$select=id")).await.map(drop)
    }
}

impl From<Row> for Organization {
    fn from(row: Row) -> Self {
        Self {
            tenant_id: row.id,
            display_name: row.display_name,
            default_domain: row.verified_domains.iter().find(|d| d.is_default).map(|d| d.name.clone()),
            domains: row.verified_domains.into_iter().map(|domain| domain.name).collect(),
        }
    }
}
