//! The whole system, end to end.

mod access_tokens;
mod audit;
mod command_line;
mod consent;
mod diagnosis;
mod enrollment_keys;
mod faults;
mod graphql;
mod keys;
mod onboarding;
mod plan;
mod processes;
mod progress;
mod queue;
mod readme;
mod scan;
mod sign_in;
mod spilled;
mod transactions;
mod wall;
