//! The simulated cloud, by HTTP: what it refuses, and how it says so.

mod authorize;
mod bearer;
mod cloud;
mod consumption;
mod faults;
mod resource_graph;
mod resources;
mod role_assignments;
mod subscriptions;
mod throttling;
mod token;
