//! Change sets: how one is planned, begun, written, and comes to its end.

mod begin;
mod draft;
mod elevation;
mod policy;
mod rate;
mod refusal;
mod settle;
mod store;
mod write;

pub use begin::{Begun, again, begin};
pub use draft::{Draft, Removal, Renaming, Request, Wish};
pub use elevation::{elevated, elevations};
pub use policy::Names;
pub(crate) use rate::ROOM;
pub use rate::{Load, duration, fits_window};
pub(crate) use refusal::Written;
pub(crate) use settle::settle;
pub(crate) use write::Writer;

/// Rows that a statement stores at once: well under `SQLite`'s limit of bound values.
const CHUNK: usize = 500;
