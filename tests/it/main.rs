//! The whole system, end to end.

mod access_change;
mod access_tokens;
mod add_subscriptions;
mod audit;
mod command_line;
mod consent;
mod diagnosis;
mod disconnect;
mod enrollment_keys;
mod faults;
mod graphql;
mod health;
mod keys;
mod onboarding;
mod owner_links;
mod processes;
mod progress;
mod queue;
mod readme;
mod receipt;
mod scan;
mod sign_in;
mod spilled;
mod throttle;
mod transactions;
mod wall;
