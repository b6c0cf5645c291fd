//! What a person is told to do about an enrollment key, by how it stands.

use chrono::{DateTime, SecondsFormat, Utc};
use entity::enrollment_key::State;

/// A sentence that says what to do; none: nothing.
pub fn on(state: State, expires_at: Option<DateTime<Utc>>) -> Option<String> {
    let at = expires_at.map(|at| format!(" at {}", written(at))).unwrap_or_default();
    Some(match state {
        State::Connected => return None,
        State::ExpiresSoon => format!(
            "The enrollment key expires{at}. Generate a new one in the Azure portal, and register that before \
             then."
        ),
        State::Incomplete => "The enrollment key is incomplete. Copy it again, in full, from the Azure portal, \
                              and register it."
            .to_owned(),
        State::Expired => format!(
            "The enrollment key expired{at}. Generate a new one in the Azure portal, and register that."
        ),
        State::Revoked => "Microsoft refuses the enrollment key although it has not expired: it was disabled or \
                           replaced. Generate a new one in the Azure portal, and register that."
            .to_owned(),
        State::InsufficientRole => "Microsoft takes the enrollment key, but whoever made it may not read the \
                                    enrollment. An enterprise administrator of the enrollment has to generate \
                                    one, or to let department administrators and account owners view charges."
            .to_owned(),
    })
}

/// A moment as messages write it.
pub fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
