//! Answers GraphQL over HTTP and WebSocket.

pub mod consent;
pub mod error;
pub mod graphql;
pub mod http;
pub mod limits;
pub mod services;
mod start;
pub mod viewer;

pub use services::Services;
pub use start::start;
