//! The chain of an organization's audit events: how it is hashed, and how it is checked.
//!
//! A hash is an HMAC-SHA256 under a key that is derived from the encryption key. Whoever can write the database,
//! but does not hold the encryption key, can neither alter an event nor add, remove or move one without that
//! being found. What this cannot find is a whole database that was replaced by an older copy of itself: compare
//! the head that was found with one that was written down elsewhere.

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::ActiveEnum;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Model;
use crate::{Keyring, audit_head};

/// What stands for the hash before the first event.
pub const START: [u8; 32] = [0; 32];

/// What the key is derived under. Another one would break every chain there is.
const LABEL: &str = "tenantry audit";

/// The key that an installation's chains are hashed with.
pub struct ChainKey(Zeroizing<[u8; 32]>);

impl ChainKey {
    /// The key of the installation that holds `keyring`.
    pub fn of(keyring: &Keyring) -> Self {
        Self(Zeroizing::new(keyring.derive(LABEL)))
    }

    /// The hash of everything in `event` but its hash.
    pub fn hash(&self, event: &Model) -> Vec<u8> {
        self.mac(&encode_event(event)).finalize().into_bytes().to_vec()
    }

    /// The seal of everything in `head` but its seal.
    pub fn seal(&self, head: &audit_head::Model) -> Vec<u8> {
        self.mac(&encode_head(head)).finalize().into_bytes().to_vec()
    }

    /// Whether `event` is as it was when it was hashed.
    pub fn is_hashed(&self, event: &Model) -> bool {
        self.mac(&encode_event(event)).verify_slice(&event.hash).is_ok()
    }

    /// Whether `head` is as it was when it was sealed.
    pub fn is_sealed(&self, head: &audit_head::Model) -> bool {
        self.mac(&encode_head(head)).verify_slice(&head.seal).is_ok()
    }

    fn mac(&self, encoded: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes keys of any length");
        mac.update(encoded);
        mac
    }
}

/// What is hashed: fields, each with its length before it, so that no two lists of fields are written the same.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn with(mut self, field: impl AsRef<[u8]>) -> Self {
        let field = field.as_ref();
        self.0.push(1);
        self.0.extend((field.len() as u64).to_be_bytes());
        self.0.extend(field);
        self
    }

    fn with_option(mut self, field: Option<impl AsRef<[u8]>>) -> Self {
        if let Some(field) = field {
            return self.with(field);
        }
        self.0.push(0);
        self
    }
}

/// The first field keeps an event from passing for a head, and names the form, should there be another one.
fn encode_event(event: &Model) -> Vec<u8> {
    let fields = Fields::default()
        .with("event 1")
        .with(&event.previous_hash)
        .with(event.id.as_bytes())
        .with(event.organization_id.as_bytes())
        .with(event.sequence.to_be_bytes())
        .with(event.occurred_at.timestamp().to_be_bytes())
        .with(event.occurred_at.timestamp_subsec_nanos().to_be_bytes())
        .with(event.actor_kind.to_value())
        .with_option(event.actor_id.as_ref().map(Uuid::as_bytes))
        .with(event.action.to_value())
        .with(event.object_kind.to_value())
        .with(event.object_id.as_bytes())
        .with_option(event.before.as_ref())
        .with_option(event.after.as_ref())
        .with_option(event.address.as_ref())
        .with_option(event.request_id.as_ref())
        .with_option(event.microsoft_correlation_id.as_ref());
    fields.0
}

fn encode_head(head: &audit_head::Model) -> Vec<u8> {
    let fields = Fields::default()
        .with("head 1")
        .with(head.organization_id.as_bytes())
        .with(head.sequence.to_be_bytes())
        .with(&head.hash)
        .with(head.pruned_sequence.to_be_bytes())
        .with(&head.pruned_hash);
    fields.0
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There are events, and nothing that says where they end.
    #[error("the head is missing")]
    HeadMissing,
    /// The head is not as it was when it was sealed.
    #[error("the head was altered")]
    HeadAltered,
    /// The event is not as it was when it was hashed.
    #[error("event {0} was altered")]
    Altered(i64),
    /// There is no event of this number, but one of a later number.
    #[error("event {0} is missing")]
    Missing(i64),
    /// The event is a real one, but not the one that followed the event before it.
    #[error("event {0} does not follow the event before it")]
    Unlinked(i64),
    /// There is no event of this number, nor of any later one, though the head tells of one.
    #[error("event {0} and all after it are missing")]
    Cut(i64),
    /// There is an event after the newest that the head tells of.
    #[error("event {0} was added behind the end")]
    Added(i64),
}

/// A walk along a chain, event by event.
pub struct Walk<'a> {
    key: &'a ChainKey,
    end: i64,
    sequence: i64,
    hash: Vec<u8>,
}

impl<'a> Walk<'a> {
    /// Begins at the oldest event that is kept.
    pub fn begin(key: &'a ChainKey, head: &audit_head::Model) -> Result<Self, Fault> {
        if !key.is_sealed(head) {
            return Err(Fault::HeadAltered);
        }
        Ok(Self { key, end: head.sequence, sequence: head.pruned_sequence, hash: head.pruned_hash.clone() })
    }

    /// The number of the last event that was good.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The hash of the last event that was good.
    pub fn hash(&self) -> &[u8] {
        &self.hash
    }

    /// Goes on to the next event of the lowest number; none: it cannot be read.
    pub fn step(&mut self, event: Option<&Model>) -> Result<(), Fault> {
        let expected = self.sequence + 1;
        let event = event.ok_or(Fault::Altered(expected))?;
        if event.sequence > expected {
            return Err(if expected > self.end {
                Fault::Added(event.sequence)
            } else {
                Fault::Missing(expected)
            });
        }
        if !self.key.is_hashed(event) || event.sequence != expected {
            return Err(Fault::Altered(expected));
        }
        if event.previous_hash != self.hash {
            return Err(Fault::Unlinked(expected));
        }
        if expected > self.end {
            return Err(Fault::Added(expected));
        }
        self.sequence = expected;
        self.hash.clone_from(&event.hash);
        Ok(())
    }

    /// Ends after the newest event.
    pub fn end(self, head: &audit_head::Model) -> Result<(), Fault> {
        if self.sequence < self.end {
            return Err(Fault::Cut(self.sequence + 1));
        }
        if self.hash == head.hash { Ok(()) } else { Err(Fault::Unlinked(self.sequence)) }
    }
}

#[cfg(test)]
mod tests;
