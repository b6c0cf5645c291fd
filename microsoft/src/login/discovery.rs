//! Finds a tenant's id from its domain name, and where Entra publishes its keys.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc>.

use reqwest::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::request;
use crate::error::codes;
use crate::http::decode;
use crate::{Login, MicrosoftError};

/// The longest name that DNS allows.
const LONGEST_DOMAIN: usize = 253;
/// The tenant that all personal accounts share.
pub(crate) const PERSONAL_ACCOUNTS: Uuid = Uuid::from_u128(0x9188_040d_6c67_4c5b_b112_36a3_04b6_6dad);

/// What discovery says, as far as it is used here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

impl Login {
    /// The id of a tenant given by its id or by one of its verified domains.
    pub async fn resolve_tenant(&self, tenant: &str) -> Result<Uuid, MicrosoftError> {
        let not_found = |why: &str| MicrosoftError::of(&codes::TENANT_NOT_FOUND, why);
        let name = tenant.trim().to_ascii_lowercase();
        if Uuid::try_parse(&name).is_err() && !is_domain(&name) {
            return Err(not_found("neither an id nor a domain name"));
        }
        let discovery = self.discover(&name).await?;
        match tenant_of_issuer(&discovery.issuer) {
            Some(PERSONAL_ACCOUNTS) => Err(not_found("the tenant of personal accounts")),
            Some(tenant_id) => Ok(tenant_id),
            None => Err(MicrosoftError::of(&codes::UNEXPECTED_ANSWER, "the issuer names no tenant")),
        }
    }

    async fn discover(&self, tenant: &str) -> Result<Discovery, MicrosoftError> {
        let url = self.inner.base.at(&format!("/{tenant}/v2.0/.well-known/openid-configuration"));
        let reply = self.inner.http.send(&request(Method::GET, url, Uuid::nil())).await?;
        decode(reply.body).await
    }
}

/// A dot is required, which also keeps `common`, `organizations` and `consumers` out.
fn is_domain(name: &str) -> bool {
    name.len() <= LONGEST_DOMAIN
        && name.contains('.')
        && name.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

fn tenant_of_issuer(issuer: &str) -> Option<Uuid> {
    issuer.split('/').find_map(|part| Uuid::try_parse(part).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_names_that_can_be_domains_are_asked_for() {
        for name in ["contoso.com", "a-b.onmicrosoft.com", "xn--bcher-kva.example"] {
            assert!(is_domain(name), "{name}");
        }
        for name in
            ["", "common", "organizations", "a..b", "-a.com", "a.com/", "a.com?x", "a b.com", "../x.y"]
        {
            assert!(!is_domain(name), "{name}");
        }
    }

    #[test]
    fn the_issuer_names_the_tenant() {
        let tenant = Uuid::from_u128(7);
        assert_eq!(tenant_of_issuer(&format!("https://login.example/{tenant}/v2.0")), Some(tenant));
        assert_eq!(tenant_of_issuer("https://login.example/{tenantid}/v2.0"), None);
    }

    proptest! {
        #[test]
        fn a_name_never_leaves_its_place_in_the_path(name in "\\PC{0,40}") {
            if is_domain(&name) {
                prop_assert!(!name.contains(['/', '?', '#', '%', '\\', ':', '@']));
            }
        }
    }
}
