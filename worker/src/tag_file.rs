//! Tags as CSV: what is exported, and the change set that an imported file is planned to.

mod cell;
mod export;
mod import;
mod refusal;
mod rows;

pub use export::{Export, Wanted};
pub use import::{Import, Report};
pub use refusal::{FileRefused, RowRefused};

/// The most rows of a file that is imported, besides the header.
pub const MOST_ROWS: u64 = 100_000;
/// The longest row of it, in bytes.
pub const LONGEST_ROW: usize = 64 * 1024;
/// The largest file, in bytes.
pub const LARGEST: u64 = 64 * 1024 * 1024;
