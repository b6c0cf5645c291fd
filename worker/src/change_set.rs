//! Change sets: how one is planned, begun, written, and comes to its end.

mod begin;
mod draft;
mod policy;
mod rate;
mod refusal;
mod settle;
mod store;
mod write;

pub use begin::{Begun, again, begin};
pub use draft::{Draft, Removal, Renaming, Request, Wish};
pub use policy::Names;
pub use rate::{Load, duration};
pub(crate) use refusal::Written;
pub(crate) use settle::settle;
pub(crate) use write::Writer;

/// Rows that a statement stores at once: well under `SQLite`'s limit of bound values.
const CHUNK: usize = 500;
