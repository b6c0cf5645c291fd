//! The jobs: one file each.

mod assign_role;
mod check_enrollment_key;
mod check_tenant;
mod delete_inventory;
mod load_office;
mod onboard_tenant;
mod prune;
mod read_owners;
mod resume_operation;
mod scan_subscriptions;
mod sweep;
mod verify_roles;
mod write_tags;

pub use assign_role::AssignRole;
pub use check_enrollment_key::CheckEnrollmentKey;
pub use check_tenant::CheckTenant;
pub use delete_inventory::DeleteInventory;
pub use load_office::LoadOffice;
pub use onboard_tenant::OnboardTenant;
pub(crate) use onboard_tenant::azure_state;
pub use prune::Prune;
pub use read_owners::ReadOwners;
pub use resume_operation::ResumeOperation;
pub use scan_subscriptions::ScanSubscriptions;
pub use sweep::Sweep;
pub use verify_roles::VerifyRoles;
pub use write_tags::WriteTags;

use crate::context::Context;
use crate::queue::Workers;

/// Teaches `workers` every job.
pub fn register(workers: Workers, context: &Context) -> Workers {
    workers
        .register::<OnboardTenant>(context.clone())
        .register::<AssignRole>(context.clone())
        .register::<ResumeOperation>(context.clone())
        .register::<VerifyRoles>(context.clone())
        .register::<ScanSubscriptions>(context.clone())
        .register::<Sweep>(context.clone())
        .register::<CheckEnrollmentKey>(context.clone())
        .register::<Prune>(context.clone())
        .register::<ReadOwners>(context.clone())
        .register::<CheckTenant>(context.clone())
        .register::<DeleteInventory>(context.clone())
        .register::<WriteTags>(context.clone())
        .register::<LoadOffice>(context.clone())
}
