//! How an owner who has no account here starts the one consent that an owner link is for.
//!
//! Whoever opens the link sees who asks, and for what. Only the button starts the consent: what reads links before
//! people do uses nothing up. From there on it is a consent like any other.

mod page;
mod standing;
mod start;

pub(crate) use standing::{admit, not_good, spend, used};
pub use start::{show, start};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// The path of every owner link.
pub const PATH: &str = "/owner-link";

/// The link for an owner.
pub fn link(public_url: &Url, secret: &SecretString) -> Url {
    let mut link = public_url.clone();
    link.set_path(PATH);
    link.query_pairs_mut().clear().append_pair("token", secret.expose_secret());
    link
}
