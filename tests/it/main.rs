//! The whole system, end to end.

mod command_line;
mod consent;
mod faults;
mod graphql;
mod onboarding;
mod processes;
mod progress;
mod queue;
mod readme;
mod scan;
mod wall;
