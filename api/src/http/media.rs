//! Which media type a client speaks: of its answers by `Accept`, of its body by `Content-Type`.

use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

/// The media types of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: the status is 200 once GraphQL has understood the request.
    Json,
    /// `application/graphql-response+json`: the status tells refusals too.
    GraphqlResponse,
}

impl Media {
    /// The `Content-Type` of the answer.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    /// The one that the client likes best; none if it accepts neither. Who says nothing, or anything,
    /// is an old client, which expects `application/json`.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut ranges = Vec::new();
        for header in headers.get_all(ACCEPT) {
            ranges.extend(header.to_str().ok()?.split(',').filter_map(Range::parse));
        }
        if ranges.is_empty() {
            return (!headers.contains_key(ACCEPT)).then_some(Self::Json);
        }
        let quality = |media: Self| ranges.iter().filter_map(|range| range.quality_of(media)).max();
        let json = quality(Self::Json).map_or(0, |(_, quality)| quality);
        let graphql = quality(Self::GraphqlResponse).map_or(0, |(_, quality)| quality);
        let named = |media: Self| quality(media).is_some_and(|(specific, _)| specific == Specific::Type);
        match (json, graphql) {
            (0, 0) => None,
            _ if graphql > json => Some(Self::GraphqlResponse),
            // The new one is the better of two that are liked equally, if it was asked for by name.
            _ if graphql == json && named(Self::GraphqlResponse) => Some(Self::GraphqlResponse),
            _ => Some(Self::Json),
        }
    }
}

/// Whether the client asks for server-sent events by name.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).filter_map(|header| header.to_str().ok());
    let mut ranges = ranges.flat_map(|header| header.split(',')).filter_map(Range::parse);
    ranges.any(|range| range.essence == "text/event-stream" && range.quality > 0)
}

/// How exactly a range names a media type: the most exact one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Specific {
    Any,
    Subtypes,
    Type,
}

/// One media range of an `Accept`.
struct Range {
    essence: String,
    /// In thousandths.
    quality: u16,
}

impl Range {
    /// None: it is not one, or it asks for another encoding than ours.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().filter(|it| it.contains('/'))?.to_ascii_lowercase();
        let mut quality = 1_000;
        for parameter in parts {
            let (name, value) = parameter.split_once('=')?;
            if name.eq_ignore_ascii_case("q") {
                quality = thousandths(value.trim())?;
            } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
                return None;
            }
        }
        Some(Self { essence, quality })
    }

    fn quality_of(&self, media: Media) -> Option<(Specific, u16)> {
        let specific = match (self.essence.as_str(), media) {
            ("*/*", _) => Specific::Any,
            ("application/*", _) => Specific::Subtypes,
            ("application/json", Media::Json)
            | ("application/graphql-response+json", Media::GraphqlResponse) => Specific::Type,
            _ => return None,
        };
        Some((specific, self.quality))
    }
}

/// `q` has at most three decimals and is at most 1.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let decimals: u16 = format!("{decimals:0<3}").parse().ok().filter(|_| is_number)?;
    match whole {
        "0" => Some(decimals),
        "1" => (decimals == 0).then_some(1_000),
        _ => None,
    }
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim().trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

/// Whether the body is said to be JSON in UTF-8. Anything else a browser would send from any page
/// without asking us first.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(content_type)) = headers.get(CONTENT_TYPE).map(|it| it.to_str()) else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    is_json
        && parts
            .filter_map(|parameter| parameter.split_once('='))
            .all(|(name, value)| !name.trim().eq_ignore_ascii_case("charset") || is_utf8(value))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn accept_decides_the_media_type() {
        let new = Some(Media::GraphqlResponse);
        let old = Some(Media::Json);
        for (accept, expected) in [
            ("application/json", old),
            ("application/graphql-response+json", new),
            ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", new),
            ("application/json, application/graphql-response+json", new),
            ("application/graphql-response+json;q=0.5, application/json", old),
            ("application/graphql-response+json;q=0, */*", old),
            ("application/json;q=0, */*", new),
            ("*/*", old),
            ("application/*;q=0.8", old),
            ("text/html, */*;q=0.1", old),
            ("text/html", None),
            ("application/json; charset=utf-16", None),
            ("application/json;q=0", None),
            ("", None),
        ] {
            assert_eq!(Media::accepted(&headers(ACCEPT, accept)), expected, "{accept}");
        }
        assert_eq!(Media::accepted(&HeaderMap::new()), old);
    }

    #[test]
    fn bodies_are_json_in_utf8() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(is_json(&headers(CONTENT_TYPE, good)), "{good}");
        }
        for bad in ["text/plain", "application/json; charset=latin1", "multipart/form-data; boundary=x", ""] {
            assert!(!is_json(&headers(CONTENT_TYPE, bad)), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ -~]{0,60}") {
            let _ = Media::accepted(&headers(ACCEPT, &text));
            let _ = is_json(&headers(CONTENT_TYPE, &text));
        }
    }
}
