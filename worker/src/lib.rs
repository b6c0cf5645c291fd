//! Does the slow work: one file per job.

pub mod access;
pub mod audit;
pub mod budgets;
pub mod change_set;
pub mod context;
pub mod disconnect;
pub mod failures;
mod health;
mod inventory;
pub mod job;
pub mod jobs;
pub mod keys;
pub mod office;
pub mod operations;
mod owners;
pub mod plan;
pub mod progress;
pub mod queue;
pub mod receipt;
mod redis;
mod scan;
mod schedule;
pub mod tag_file;
mod taggable;
pub mod transaction;
pub mod window;

pub use context::{Context, Pace};
