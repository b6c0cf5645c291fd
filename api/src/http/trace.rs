//! The id by which a request, and what became of it, is found in the log.

use std::fmt;

use uuid::Uuid;

/// The longest id that a client may bring.
const LONGEST: usize = 64;

/// The id by which a request is found in the log. It is its `x-request-id`, and its errors' `traceId`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TraceId(String);

impl TraceId {
    /// A new one.
    pub(super) fn new() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// The one that a client or a proxy brings, if it can do no harm in a log; else a new one.
    pub(super) fn of(brought: Option<&str>) -> Self {
        let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        brought
            .filter(|id| (1..=LONGEST).contains(&id.len()) && id.bytes().all(is_harmless))
            .map_or_else(Self::new, |id| Self(id.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::TraceId;

    #[test]
    fn takes_only_what_can_do_no_harm() {
        assert_eq!(TraceId::of(Some("a-1_b.C")).as_str(), "a-1_b.C");
        let long = "a".repeat(65);
        for bad in ["", "a b", "a\nb", "é", "a\"", long.as_str()] {
            assert_eq!(TraceId::of(Some(bad)).as_str().len(), 32, "{bad}");
        }
    }
}
