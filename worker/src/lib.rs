//! Does the slow work: one file per job.

pub mod access;
pub mod audit;
pub mod context;
pub mod failures;
mod inventory;
pub mod job;
pub mod jobs;
pub mod keys;
pub mod operations;
pub mod plan;
pub mod progress;
pub mod queue;
mod redis;
mod scan;
pub mod transaction;
pub mod window;

pub use context::{Context, Pace};
