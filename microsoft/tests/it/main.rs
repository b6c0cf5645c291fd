//! The client against a server that answers what each test says: odd bodies, resets, refusals.

mod arm;
mod consumption;
mod login;
mod server;
