//! Sends an administrator to Microsoft to consent for a whole tenant, and reads what comes back.
//!
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-admin-consent>.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::redact::redact;
use crate::{Audience, Login, Refusal, authorization_refusal};

/// What an administrator brought back.
#[derive(Clone, Debug)]
pub enum AdminConsentAnswer {
    /// The consent was given; somewhere, see `tenant`.
    Accepted {
        /// The state that was sent along.
        state: SecretString,
        /// Where, as the browser says: not to be trusted. Only a token of that tenant is proof, see
        /// [`Graph::permissions`](crate::Graph::permissions).
        tenant: Option<String>,
    },
    /// There is no consent.
    Refused {
        /// The state that was sent along; some refusals come without.
        state: Option<SecretString>,
        /// Why, as far as that is known.
        refusal: Refusal,
        /// Microsoft's `error`, shortened and redacted; for the log.
        error: String,
        /// Microsoft's `error_description`, shortened and redacted; for the log.
        description: Option<String>,
    },
}

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

impl AdminConsentAnswer {
    /// Reads the query of the redirect; none: Microsoft sends nothing like it.
    pub fn read<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Option<Self>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        let mut query = Query::default();
        for (name, value) in pairs {
            query.take(name.as_ref(), value);
        }
        // `admin_consent=True` stands beside an error too.
        if let Some(error) = query.error {
            let description = query.description;
            return Some(Self::Refused {
                state: query.state.map(SecretString::from),
                refusal: authorization_refusal(&error, query.subcode.as_deref(), description.as_deref()),
                error: redact(&error),
                description: description.as_deref().map(redact),
            });
        }
        let is_given = query.admin_consent.is_some_and(|given| given.eq_ignore_ascii_case("true"));
        let state = query.state.filter(|_| is_given)?;
        Some(Self::Accepted { state: state.into(), tenant: query.tenant })
    }
}

/// The parameters that are looked at; of several with one name, the first.
#[derive(Default)]
struct Query {
    admin_consent: Option<String>,
    tenant: Option<String>,
    state: Option<String>,
    error: Option<String>,
    subcode: Option<String>,
    description: Option<String>,
}

impl Query {
    fn take(&mut self, name: &str, value: impl Into<String>) {
        let place = match name {
            "admin_consent" => &mut self.admin_consent,
            "tenant" => &mut self.tenant,
            "state" => &mut self.state,
            "error" => &mut self.error,
            "error_subcode" => &mut self.subcode,
            "error_description" => &mut self.description,
            _ => return,
        };
        place.get_or_insert_with(|| value.into());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Option<AdminConsentAnswer> {
        AdminConsentAnswer::read(url::form_urlencoded::parse(query.as_bytes()).into_owned())
    }

    fn refused(query: &str) -> (Refusal, Option<String>, Option<String>) {
        match read(query) {
            Some(AdminConsentAnswer::Refused { state, refusal, description, .. }) => {
                (refusal, state.map(|state| state.expose_secret().to_owned()), description)
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn an_error_counts_before_the_consent_beside_it() {
        let query =
            "admin_consent=True&error=consent_required&error_description=AADSTS65004%3a+declined&state=s";
        assert_eq!(
            refused(query),
            (Refusal::Declined, Some("s".into()), Some("AADSTS65004: declined".into()))
        );
        let blocked = "admin_consent=True&tenant=t&state=s&error=access_denied&error_description=AADSTS53003: by+policy";
        assert_eq!(refused(blocked).0, Refusal::InteractionRequired);
        assert_eq!(refused("admin_consent=True&state=s&error=").0, Refusal::Unexpected);
    }

    #[test]
    fn a_refusal_may_come_without_its_state() {
        let query = "error=permission_denied&error_description=The+admin+canceled+the+request";
        assert_eq!(refused(query), (Refusal::Declined, None, Some("The admin canceled the request".into())));
    }

    #[test]
    fn addresses_are_not_kept() {
        let query = "error=server_error&error_description=AADSTS1: ann@contoso.example+failed&state=s";
        assert_eq!(refused(query).2.as_deref(), Some("AADSTS1: [address] failed"));
    }

    #[test]
    fn what_is_neither_is_no_answer() {
        for query in ["", "state=s", "admin_consent=False&state=s", "admin_consent=True", "code=c&state=s"] {
            assert!(read(query).is_none(), "{query}");
        }
    }

    #[test]
    fn a_consent_says_where_it_was_given_and_nobody_believes_it() {
        let answer = read("admin_consent=True&tenant=t&state=s&scope=x&state=second");
        let Some(AdminConsentAnswer::Accepted { state, tenant }) = answer else { panic!("{answer:?}") };
        assert_eq!((state.expose_secret(), tenant.as_deref()), ("s", Some("t")));
    }

    proptest! {
        #[test]
        fn no_query_with_an_error_is_a_consent(before in "\\PC{0,30}", error in "[a-z_]{0,12}") {
            let query = format!("{before}&admin_consent=True&state=s&tenant=t&error={error}");
            let is_refused = matches!(read(&query), Some(AdminConsentAnswer::Refused { .. }));
            prop_assert!(is_refused);
        }
    }
}
