//! Answers GraphQL over HTTP and WebSocket.

pub mod authentication;
pub mod consent;
pub mod error;
pub mod graphql;
pub mod http;
pub mod limits;
pub mod owner_link;
pub mod page;
pub mod permission;
pub mod services;
pub mod sign_in;
pub mod viewer;

pub use http::start;
pub use services::Services;
