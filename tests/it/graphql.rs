//! The GraphQL schema and its resolvers, without HTTP around them and without a cloud behind them.

mod answers;
mod audit;
mod diagnosis;
mod enrollment_keys;
mod filters;
mod isolation;
mod live;
mod mutations;
mod pages;
mod retry;
mod schema;
mod stage;
mod statements;
