//! Sends an administrator to Microsoft to consent for a whole tenant.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-admin-consent>. What comes back is signed by nobody, and
//! says `admin_consent=True` also beside an error: [`authorization_refusal`](crate::authorization_refusal) reads that.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Audience, Login};

impl Login {
    /// Where to send an administrator of the tenant, given by its id or a domain; `organizations` lets the account
    /// decide. All that the app registration lists for Microsoft Graph is asked for at once: application
    /// permissions cannot be had one by one.
    pub fn admin_consent_url(&self, tenant: &str, state: &SecretString) -> Url {
        let mut url = self.inner.base.at("/");
        // A tenant that somebody typed stays one segment, whatever is in it.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([tenant.trim(), "v2.0", "adminconsent"]);
        }
        url.query_pairs_mut()
            .append_pair("client_id", self.client_id())
            .append_pair("redirect_uri", self.inner.redirect_uri.as_str())
            .append_pair("state", state.expose_secret())
            .append_pair("scope", &format!("{}/.default", self.resource_name(Audience::Graph)));
        url
    }
}
