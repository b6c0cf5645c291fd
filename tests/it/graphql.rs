//! The GraphQL schema and its resolvers, without HTTP around them and without a cloud behind them.

mod answers;
mod audit;
mod by_tag;
mod diagnosis;
mod enrollment_keys;
mod facets;
mod filters;
mod isolation;
mod live;
mod moving_pages;
mod mutations;
mod office;
mod pages;
mod retry;
mod schema;
mod searches;
mod stage;
mod statements;
