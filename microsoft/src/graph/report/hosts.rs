//! The hosts on which reports may be handed out: whoever answers a redirect decides what is stored here.

use url::{Host, Url};

use crate::MicrosoftError;
use crate::base::Base;
use crate::error::codes;

/// The hosts on which reports may be handed out. The host of Graph itself is always one of them, and if that is on
/// this machine, so is every other name of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportHosts(Vec<String>);

impl Default for ReportHosts {
    fn default() -> Self {
        Self(vec![Self::MICROSOFTS.to_owned()])
    }
}

impl ReportHosts {
    /// Microsoft's: `reports.office.com`, and regional ones such as `reportsncu.office.com`. No page lists them.
    pub const MICROSOFTS: &'static str = "reports*.office.com";

    /// Hosts by their names, in which a `*` stands for letters, digits and hyphens, but never for a dot.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(names.into_iter().map(|name| name.into().trim().to_ascii_lowercase()).collect())
    }

    /// The address that a redirect of `graph` leads to, if it is a good one. No error shows more of it than the host.
    pub(super) fn admitted(&self, link: &str, graph: &Base) -> Result<Url, MicrosoftError> {
        let odd = |why: &str| MicrosoftError::of(&codes::UNEXPECTED_ANSWER, why);
        let url = Url::parse(link).map_err(|_| odd("the link to a report is no address"))?;
        let host = url.host().ok_or_else(|| odd("the link to a report names no host"))?;
        let is_near = graph.is_near(&host);
        let is_private = url.scheme() == "https" || is_near && url.scheme() == graph.scheme();
        if !is_private {
            return Err(refused(&host, "the link to a report is not https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused(&host, "the link to a report names a user"));
        }
        // Only tests and installations without Microsoft have another port.
        if !is_near && (url.port().is_some() || !self.has(&host)) {
            return Err(refused(&host, "the link to a report leads to another host"));
        }
        Ok(url)
    }

    fn has(&self, host: &Host<&str>) -> bool {
        let Host::Domain(name) = host else { return self.0.contains(&host.to_string()) };
        self.0.iter().any(|pattern| is_like(pattern, name))
    }
}

fn is_like(pattern: &str, name: &str) -> bool {
    let (mut patterns, mut labels) = (pattern.split('.'), name.split('.'));
    loop {
        match (patterns.next(), labels.next()) {
            (None, None) => return true,
            (Some(pattern), Some(label)) if is_label_like(pattern, label) => {}
            _ => return false,
        }
    }
}

fn is_label_like(pattern: &str, label: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == label,
        Some((begin, end)) => {
            label.len() >= begin.len() + end.len() && label.starts_with(begin) && label.ends_with(end)
        }
    }
}

fn refused(host: &Host<&str>, why: &str) -> MicrosoftError {
    MicrosoftError::of(&codes::REPORT_HOST_REFUSED, format!("{why}: {host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(hosts: &ReportHosts, graph: &str, link: &str) -> Result<(), MicrosoftError> {
        let graph = Base::new(&graph.parse().expect("a URL")).expect("a base");
        hosts.admitted(link, &graph).map(drop)
    }

    #[test]
    fn microsofts_hosts_are_admitted_and_no_lookalike_is() {
        let at = |link: &str| admits(&ReportHosts::default(), "https://graph.microsoft.com", link);
        for link in [
            "https://reports.office.com/data/download/x",
            "https://REPORTSNCU.office.com:443/data/v1.0/download?token=x",
            "https://graph.microsoft.com/x",
        ] {
            assert_eq!(at(link), Ok(()), "{link}");
        }
        for link in [
            "http://reports.office.com/secret",
            "https://reports.office.com.evil.example/secret",
            "https://reports.evil.example/secret?.office.com",
            "https://reports.evil.office.com/secret",
            "https://xreports.office.com/secret",
            "https://office.com/secret",
            "https://reports.office.com@evil.example/secret",
            "https://user:pass@reports.office.com/secret",
            "https://reports.office.com:8443/secret",
            "http://graph.microsoft.com/secret",
            "https://localhost/secret",
            "https://127.0.0.1/secret",
            "https://[::1]/secret",
            "https://169.254.169.254/secret",
        ] {
            let error = at(link).expect_err(link);
            assert_eq!(error.code(), "REPORT_HOST_REFUSED", "{link}");
            assert!(!format!("{error:?}").contains("secret") && !format!("{error:?}").contains("pass"));
        }
        for link in ["", "/data/download/x", "//reports.office.com/x", "mailto:a@b"] {
            assert_eq!(at(link).expect_err(link).code(), "UNEXPECTED_ANSWER", "{link}");
        }
    }

    #[test]
    fn a_cloud_on_this_machine_may_answer_by_another_of_its_names() {
        let at = |graph: &str, link: &str| admits(&ReportHosts::default(), graph, link).is_ok();
        assert!(at("http://127.0.0.1:9", "http://localhost:9/x"));
        assert!(at("http://localhost:9", "http://[::1]:9/x"));
        assert!(at("https://localhost:9", "https://127.0.0.1:9/x"));
        assert!(!at("https://localhost:9", "http://127.0.0.1:9/x"));
        assert!(at("http://simulator:9", "http://simulator:9/x"));
        assert!(!at("http://simulator:9", "http://localhost:9/x"));
        assert!(!at("http://127.0.0.1:9", "http://reports.office.com/x"));
    }

    #[test]
    fn an_installation_may_name_its_own_hosts() {
        let hosts = ReportHosts::new(["reports.office365.example ", "10.0.0.1"]);
        let at = |link: &str| admits(&hosts, "https://graph.example", link).is_ok();
        assert!(at("https://Reports.office365.example/x") && at("https://10.0.0.1/x"));
        assert!(!at("https://reports.office.com/x"));
    }
}
