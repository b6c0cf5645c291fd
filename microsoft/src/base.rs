//! The address of one Microsoft service, and the guard that keeps tokens on it.

use url::{Host, Url};

use crate::MicrosoftError;
use crate::error::codes;

/// A service's base URL.
#[derive(Clone, Debug)]
pub(crate) struct Base(Url);

impl Base {
    pub fn new(url: &Url) -> Result<Self, MicrosoftError> {
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            return Ok(Self(url.clone()));
        }
        Err(MicrosoftError::of(
            &codes::APPLICATION_MISCONFIGURED,
            format!("a Microsoft address must begin with https://, not {}:", url.scheme()),
        ))
    }

    /// The base URL without its closing slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The address of `path_and_query`, which begins with a slash, below the base.
    pub fn at(&self, path_and_query: &str) -> Url {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        url
    }

    /// A link that Microsoft gave, if it stays on this host: the next request carries a token.
    pub fn follow(&self, link: &str) -> Result<Url, MicrosoftError> {
        let refused = |why: &str| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, why);
        let url = Url::parse(link).map_err(|_| refused("a link to the next page is no address"))?;
        if self.same_origin(&url) {
            Ok(url)
        } else {
            Err(refused("a link to the next page leads to another host"))
        }
    }

    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Whether it is the same host, or both are this machine.
    pub fn is_near(&self, host: &Host<&str>) -> bool {
        let own = self.0.host();
        own.as_ref() == Some(host) || is_this_machine(host) && own.is_some_and(|own| is_this_machine(&own))
    }

    pub fn same_origin(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> Base {
        Base::new(&Url::parse(url).expect("a URL")).expect("a base")
    }

    #[test]
    fn paths_are_added_below_the_base() {
        let url = base("http://127.0.0.1:9/arm/").at("/tenants?api-version=1");
        assert_eq!(url.as_str(), "http://127.0.0.1:9/arm/tenants?api-version=1");
    }

    #[test]
    fn links_elsewhere_are_not_followed() {
        let arm = base("https://management.azure.com");
        assert!(arm.follow("https://MANAGEMENT.azure.com:443/subscriptions?%24skiptoken=a").is_ok());
        for link in [
            "https://management.azure.com.evil.example/",
            "https://management.azure.com@evil.example/",
            "http://management.azure.com/",
            "https://management.azure.com:444/",
            "//evil.example/",
            "",
        ] {
            assert!(arm.follow(link).is_err(), "{link}");
        }
    }

    #[test]
    fn a_base_is_an_http_address() {
        assert!(Base::new(&Url::parse("file:///etc").expect("a URL")).is_err());
    }
}
