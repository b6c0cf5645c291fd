//! The tag by which Microsoft knows a file again.

use std::fmt;

use reqwest::header::HeaderValue;

/// A longer one is not worth keeping.
const LONGEST: usize = 256;

/// The tag of a file; equal tags, equal files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(HeaderValue);

impl ETag {
    /// A tag that was kept; none if this cannot be one.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_one =
            !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|it| it.is_ascii_graphic());
        is_one.then(|| HeaderValue::from_str(text).ok().map(Self)).flatten()
    }

    /// The tag, to be kept.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_tag_is_none() {
        assert_eq!(ETag::new(" W/\"0x8D\" ").map(|tag| tag.to_string()), Some("W/\"0x8D\"".to_owned()));
        for odd in ["", "a\r\nb", "a b", "é", &"x".repeat(300)] {
            assert_eq!(ETag::new(odd), None, "{odd}");
        }
    }
}
