//! What is stored, and the rules that need no I/O.
//!
//! Nobody outside this crate starts a query from `Entity::find`: rows are reached through
//! [`Owned::owned_by`], which cannot be called without naming the organization, or through one of the
//! few named finders for work that belongs to no viewer (the callback of a consent, the sweep).

pub mod access_token;
pub mod audit_event;
pub mod audit_head;
pub mod change_set;
pub mod clock;
pub mod consent;
pub mod data_key;
pub mod delegated_call;
pub mod enrollment_key;
pub mod estimate;
pub mod failure;
pub mod health_reason;
pub mod inventory_version;
pub mod invitation;
pub mod member;
pub mod office;
pub mod operation;
pub mod operation_step;
pub mod organization;
pub mod owned;
pub mod owner_link;
pub mod pasted;
pub mod reach;
pub mod receipt;
pub mod resource;
pub mod resource_by_tag;
pub mod resource_change;
pub mod role_assignment;
pub mod scan_schedule;
pub mod sealed;
pub mod session;
pub mod subscription;
pub mod subscription_owner;
pub mod tag_name;
pub mod tag_write;
pub mod taggable_type;
pub mod tags;
pub mod tenant;
pub mod work;

pub use clock::Clock;
pub use estimate::Estimate;
pub use failure::{Failure, FixableBy};
pub use owned::Owned;
pub use sealed::{EncryptionKeys, Keyring};
pub use work::Work;
