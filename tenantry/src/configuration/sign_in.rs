//! Where members sign in.

use std::path::PathBuf;

use clap::Args;
use microsoft::ProviderSettings;
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use super::{address, secret};

/// Where members sign in: by default at Entra ID, with Tenantry's own app registration.
#[derive(Args)]
pub struct SignInSettings {
    /// The OpenID Connect issuer at which members sign in; by default Entra ID, for people of any tenant.
    #[arg(long, env = "TENANTRY_SIGN_IN_ISSUER")]
    sign_in_issuer: Option<String>,
    /// The id of the registration at the issuer; by default `MICROSOFT_CLIENT_ID`.
    #[arg(long, env = "TENANTRY_SIGN_IN_CLIENT_ID")]
    sign_in_client_id: Option<String>,
    /// The registration's secret; by default `MICROSOFT_CLIENT_SECRET`, unless there is another registration.
    #[arg(long, env = "TENANTRY_SIGN_IN_CLIENT_SECRET", hide_env_values = true)]
    sign_in_client_secret: Option<SecretString>,
    /// A file that holds the registration's secret.
    #[arg(long, env = "TENANTRY_SIGN_IN_CLIENT_SECRET_FILE")]
    sign_in_client_secret_file: Option<PathBuf>,
    /// What the access tokens of front ends on other origins have to be for, parted by commas; by default the
    /// registration's id, with and without `api://`.
    #[arg(long, env = "TENANTRY_SIGN_IN_AUDIENCES", value_delimiter = ',')]
    sign_in_audiences: Vec<String>,
    /// The Entra tenants whose people may sign in, parted by commas; by default all, since nobody becomes a
    /// member without an invitation.
    #[arg(long, env = "TENANTRY_SIGN_IN_TENANTS", value_delimiter = ',')]
    sign_in_tenants: Vec<String>,
}

/// What was found, as far as it could be read, of what the sign-in falls back to.
pub(super) struct Known<'a> {
    pub login_url: Option<&'a Url>,
    pub client_id: Option<&'a String>,
    pub client_secret: Option<&'a SecretString>,
    pub public_url: Option<&'a Url>,
}

impl SignInSettings {
    /// Checks them, beside what was found of the registration at Microsoft.
    pub(super) fn check(&self, known: &Known<'_>, problems: &mut Vec<String>) -> Option<ProviderSettings> {
        let issuer = match &self.sign_in_issuer {
            Some(text) => address("TENANTRY_SIGN_IN_ISSUER", text, problems),
            None => known.login_url.map(entra),
        };
        let own = self.sign_in_client_id.is_some();
        if self.sign_in_issuer.is_some() && !own {
            problems.push("TENANTRY_SIGN_IN_ISSUER is set, but not TENANTRY_SIGN_IN_CLIENT_ID".to_owned());
        }
        let client_id = self.sign_in_client_id.as_ref().or(known.client_id).cloned();
        let client_secret = match (&self.sign_in_client_secret, &self.sign_in_client_secret_file) {
            (None, None) if own => None,
            (None, None) => known.client_secret.cloned(),
            (value, file) => {
                secret("TENANTRY_SIGN_IN_CLIENT_SECRET", value.as_ref(), file.as_ref(), problems)
            }
        };
        let tenants = self.sign_in_tenants.iter().filter_map(|text| {
            let id = Uuid::try_parse(text.trim()).ok();
            if id.is_none() {
                problems.push("TENANTRY_SIGN_IN_TENANTS holds something that is not a GUID".to_owned());
            }
            id
        });
        let tenants = tenants.collect();
        let client_id = client_id?;
        let audiences = match &self.sign_in_audiences {
            given if given.is_empty() => vec![client_id.clone(), format!("api://{client_id}")],
            given => given.iter().map(|audience| audience.trim().to_owned()).collect(),
        };
        let redirect_uri = redirect_uri(known.public_url?);
        Some(ProviderSettings { issuer: issuer?, client_id, client_secret, redirect_uri, audiences, tenants })
    }
}

/// Entra ID, for people of any tenant.
pub fn entra(login_url: &Url) -> Url {
    let mut issuer = login_url.clone();
    issuer.set_path(&format!("{}/organizations/v2.0", login_url.path().trim_end_matches('/')));
    issuer
}

/// Where the issuer sends the browser back to.
pub fn redirect_uri(public_url: &Url) -> Url {
    let mut url = public_url.clone();
    url.set_path("/sign-in/callback");
    url
}
