//! Office 365: the consent of a tenant's administrator, and what is read because of it.

mod consent;
mod loads;
