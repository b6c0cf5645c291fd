//! The client against a server that answers what each test says: odd bodies, resets, refusals; and against a
//! simulated cloud, which checks what it is asked.

mod admin_consent;
mod arm;
mod cloud;
mod consumption;
mod graph;
mod login;
mod reports;
mod server;
