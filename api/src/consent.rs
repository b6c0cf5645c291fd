//! How a consent is asked for, and what becomes of the person who went to Microsoft for it.
//!
//! The member gets a link to our own `/consent/start`, which marks the browser and passes it on to
//! Microsoft: the sign-in that comes back is accepted only from the browser that went, only once, and
//! only for ten minutes.

mod begin;
mod callback;
mod office;
mod page;
mod start;

pub use callback::{Received, Returned, receive};
pub(crate) use start::ask_within;
pub use start::{Asking, StartConsentError, ask, start, visit};

use entity::{Keyring, consent};
use microsoft::Purpose;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use worker::keys;

use crate::owner_link;
use crate::page::Page;
use crate::services::Services;

/// What is kept, sealed, between the start of a consent and its return.
#[derive(Serialize, Deserialize)]
struct SealedRequest {
    nonce: String,
    code_verifier: String,
}

impl SealedRequest {
    fn seal(&self, keyring: &Keyring, row: &str) -> Vec<u8> {
        let text = serde_json::to_vec(self).expect("two texts serialize");
        keyring.seal(&text, row)
    }

    /// None: it was erased, or this installation cannot open it.
    async fn open(services: &Services, consent: &consent::Model) -> Option<Self> {
        let sealed = consent.sealed_request.as_deref()?;
        let text = keys::open_text(&services.database, &services.keyring, sealed, &consent.row())
            .await
            .inspect_err(|error| tracing::error!(consent.id = %consent.id, %error, "consent does not open"))
            .ok()?;
        serde_json::from_str(text.expose_secret()).ok()
    }
}

/// What the consenting user signs in for.
fn purpose(kind: consent::Kind) -> Purpose {
    match kind {
        consent::Kind::Azure => Purpose::Delegation,
        consent::Kind::Office365 => Purpose::Identity,
    }
}

/// The consent that a state parameter belongs to, if somebody may still come back with it; the page that says
/// why not otherwise.
async fn pending(services: &Services, state: &SecretString) -> Result<consent::Model, Page> {
    let found = consent::Entity::by_state(state.expose_secret()).one(&services.database).await;
    let consent = found.map_err(|error| Page::broken(&error))?.ok_or_else(Page::unknown)?;
    if consent.state != consent::State::Pending {
        return Err(Page::of_spent(&consent));
    }
    if consent.expires_at <= services.clock.now() {
        return Err(Page::expired());
    }
    owner_link::admit(services, &consent).await?;
    Ok(consent)
}
