//! How a member signs in with a browser on our own origin, and how an invited person becomes a member.
//!
//! Between the start and the return everything is in a sealed cookie of the browser: nothing is stored for
//! somebody whom nobody knows yet, and what comes back is accepted only from the browser that went.

mod callback;
mod invitation;
mod sign_out;
mod start;

pub use callback::{Returned, SignedIn, receive};
pub use sign_out::sign_out;
pub use start::{Wanted, start};

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

/// How long a person may take to sign in.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// The associated data of the cookie.
const COOKIE: &str = "sign-in";

/// What the cookie of a sign-in under way holds, sealed.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    /// SHA-256 of the state.
    state_hash: Vec<u8>,
    nonce: String,
    code_verifier: String,
    /// Where the browser goes afterwards: a path of ours.
    return_to: Option<String>,
    /// In which organization the person signs in.
    organization: Option<Uuid>,
    /// The secret of the invitation that is accepted.
    invitation: Option<String>,
    expires_at: DateTime<Utc>,
}

/// 256 random bits, fit for a URL and for a PKCE verifier.
pub(crate) fn random_secret() -> SecretString {
    use base64::Engine;
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    SecretString::from(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// The link by which whoever opens it and signs in accepts an invitation.
pub fn invitation_link(public_url: &Url, secret: &SecretString) -> Url {
    let mut link = public_url.clone();
    link.set_path("/sign-in");
    link.query_pairs_mut().clear().append_pair("invitation", secret.expose_secret());
    link
}
