//! The HTTP and WebSocket layer over real sockets, with a small schema of its own.

mod browsers;
mod events;
mod library;
mod limits;
mod operability;
mod requests;
mod schema;
mod server;
mod sockets;
mod sockets_refused;
mod viewers;
