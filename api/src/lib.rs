//! Answers GraphQL over HTTP and WebSocket.

#![recursion_limit = "256"] // The root types are merged of one type for each field.

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
