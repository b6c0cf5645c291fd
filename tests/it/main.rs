//! The whole system, end to end.

mod progress;
mod queue;
