//! The closed list of codes of a request that is refused or fails, and the errors made of them.

use async_graphql::{Error, ErrorExtensions};

/// Why a request was refused, or failed while it was answered. It is `errors[].extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The HTTP request or the socket's message is malformed.
    BadRequest,
    /// The document cannot be parsed, or the schema does not allow it.
    BadDocument,
    /// A variable or an argument is not acceptable.
    BadInput,
    /// What was given as an id is none.
    BadId,
    /// There is none, or it is somebody else's.
    NotFound,
    /// What was given as a cursor is none, or belongs to another order.
    BadCursor,
    /// There is no token, or it is refused; `reason` says why.
    Unauthenticated,
    /// The viewer's role does not suffice.
    Forbidden,
    /// The request is larger than a limit allows; `limit`, `reached` and `allowed` say which.
    TooComplex,
    /// The body is larger than the limit allows.
    TooLarge,
    /// Too much was asked for at once.
    RateLimited,
    /// This HTTP method does not serve this.
    MethodNotAllowed,
    /// None of the media types that the client accepts is spoken here.
    NotAcceptable,
    /// The body is of a media type or an encoding that is not understood.
    UnsupportedMediaType,
    /// It took longer than the limit allows, and was cancelled.
    TimedOut,
    /// Microsoft, or something else that this needs, does not answer.
    UpstreamUnavailable,
    /// We broke; the trace id finds the cause in the log.
    Internal,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 17] = [
        Self::BadRequest,
        Self::BadDocument,
        Self::BadInput,
        Self::BadId,
        Self::NotFound,
        Self::BadCursor,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::TooComplex,
        Self::TooLarge,
        Self::RateLimited,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::UnsupportedMediaType,
        Self::TimedOut,
        Self::UpstreamUnavailable,
        Self::Internal,
    ];

    /// The code as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::BadDocument => "BAD_DOCUMENT",
            Self::BadInput => "BAD_INPUT",
            Self::BadId => "BAD_ID",
            Self::NotFound => "NOT_FOUND",
            Self::BadCursor => "BAD_CURSOR",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::TooComplex => "TOO_COMPLEX",
            Self::TooLarge => "TOO_LARGE",
            Self::RateLimited => "RATE_LIMITED",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::TimedOut => "TIMED_OUT",
            Self::UpstreamUnavailable => "UPSTREAM_UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// The code that clients see as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Whether the same request can succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::TimedOut | Self::UpstreamUnavailable | Self::Internal)
    }

    /// An error of this code for a resolver to return; `message` is for people. The trace id is added
    /// where the answer leaves us.
    pub fn error(self, message: impl Into<String>) -> Error {
        Error::new(message).extend_with(|_, extensions| {
            extensions.set("code", self.as_str());
            extensions.set("retryable", self.is_retryable());
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn every_code_is_listed_once_and_read_back() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(ErrorCode::parse("SOMETHING_ELSE"), None);
    }
}
