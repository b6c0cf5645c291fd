//! The simulated cloud, by HTTP: what it refuses, and how it says so.

mod admin_consent;
mod authorize;
mod bearer;
mod calls;
mod clock;
mod cloud;
mod consumption;
mod faults;
mod graph;
mod propagation;
mod resource_graph;
mod resources;
mod rights;
mod role_assignments;
mod subscriptions;
mod throttling;
mod token;
