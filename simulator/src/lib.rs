//! A Microsoft cloud that runs on this machine.
//!
//! One listener answers for the login, Azure Resource Manager, Microsoft Graph and EA reporting hosts. It checks what
//! Microsoft checks, imitates what hurts, and derives its world from a seed: resources are computed when they
//! are asked for, never stored.

mod arm;
mod assignments;
mod calls;
mod config;
mod consumption;
mod directory;
mod faults;
mod graph;
mod keys;
mod login;
mod office;
mod permissions;
mod person;
mod rbac;
mod reply;
mod server;
mod state;
mod throttle;
mod tokens;
mod world;

pub use calls::Call;
pub use config::{Clock, Config, Tls};
pub use consumption::ReportView;
pub use directory::{TagPolicy, User};
pub use faults::{Fault, Faults};
pub use graph::{ReportMode, RetryAfter};
pub use office::{GroupMember, OfficeUser, UserChange};
pub use person::{Answer, Decision, Opened, Person};
pub use rbac::{BuiltInRole, Scope};
pub use server::{Holding, Simulator, StartError};
pub use world::SubscriptionInfo;
