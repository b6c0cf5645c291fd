//! The conformance suite of the queue: what is promised on both backends, and Redis' faults for real.

mod contract;
mod faults;
mod load;
mod processes;
mod sameness;
mod shutdown;
mod stage;
