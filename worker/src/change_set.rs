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

use entity::tag_write;

pub use begin::{Begun, again, begin};
pub use draft::{Draft, Removal, Renaming, Request, Wish};
pub use elevation::{elevated, elevations};
pub use policy::Names;
pub(crate) use rate::ROOM;
pub use rate::{Load, duration, fits_window};
pub(crate) use refusal::Written;
pub(crate) use settle::settle;
pub(crate) use write::Writer;

/// A page of writes, ordered by resource, by resource: those of one are never parted. `is_last`: no page follows. None
/// has as many writes as a page holds.
pub fn by_resource(page: Vec<tag_write::Model>, is_last: bool) -> Vec<Vec<tag_write::Model>> {
    let mut resources: Vec<Vec<tag_write::Model>> = Vec::new();
    for write in page {
        match resources.last_mut().filter(|of| of[0].resource_id == write.resource_id) {
            Some(of) => of.push(write),
            None => resources.push(vec![write]),
        }
    }
    // The last one may go on on the next page.
    if !is_last && resources.len() > 1 {
        resources.pop();
    }
    resources
}

/// Rows that a statement stores at once: well under `SQLite`'s limit of bound values.
const CHUNK: usize = 500;
