//! Why a socket is closed. The codes are the protocol's, so that its clients know whether to come back.

use actix_ws::{CloseCode, CloseReason};

/// Why a socket is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The client is gone, or takes nothing any more.
    Gone,
    /// The client says so.
    ByClient,
    /// The process stops; clients reconnect, to another one.
    Restart,
    /// A message is larger than is allowed.
    TooBig,
    /// What came is not WebSocket.
    NotWebSocket,
    /// A message is not of the protocol.
    BadMessage(&'static str),
    /// An operation was asked for before `connection_init`.
    NotAcknowledged,
    /// The token is refused, or there is none. The client may come back with another.
    Forbidden(String),
    /// No `connection_init` came in time.
    InitTimeout,
    /// An operation of the same id is running.
    IdTaken(String),
    /// A second `connection_init` came.
    SecondInit,
}

impl Close {
    /// What the client is told; nothing, if there is nobody to tell.
    pub(super) fn reason(self) -> Option<CloseReason> {
        let (code, description) = match self {
            Self::Gone => return None,
            Self::ByClient => (CloseCode::Normal, String::new()),
            Self::Restart => (CloseCode::Restart, "Service restart".to_owned()),
            Self::TooBig => (CloseCode::Size, "Message too big".to_owned()),
            Self::NotWebSocket => (CloseCode::Protocol, "Protocol error".to_owned()),
            Self::BadMessage(why) => (CloseCode::Other(4400), why.to_owned()),
            Self::NotAcknowledged => (CloseCode::Other(4401), "Unauthorized".to_owned()),
            Self::Forbidden(why) => (CloseCode::Other(4403), format!("Forbidden: {why}")),
            Self::InitTimeout => (CloseCode::Other(4408), "Connection initialisation timeout".to_owned()),
            Self::IdTaken(id) => (CloseCode::Other(4409), format!("Subscriber for {id} already exists")),
            Self::SecondInit => (CloseCode::Other(4429), "Too many initialisation requests".to_owned()),
        };
        Some(CloseReason { code, description: Some(description).filter(|it| !it.is_empty()) })
    }
}
