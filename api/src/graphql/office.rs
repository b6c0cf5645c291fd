//! Office 365, as it is read: users and groups, usage reports, and what of it is not granted or concealed.

mod active_users;
mod activity;
mod app_activations;
mod connection;
mod current;
mod departments;
mod export;
mod feed;
mod group;
mod groups;
mod inactive_user;
mod inactive_users;
mod licences;
mod member;
mod permission;
mod purchased;
mod report;
mod search;
mod service;
mod storage;
mod teams_activity;
mod user;
mod user_licences;
mod users;

pub use active_users::ActiveUsersQuery;
pub use activity::check_days;
pub use app_activations::AppActivationsQuery;
pub use connection::{HOW_TO_REVEAL, Office365Connection, of_tenants as connections_of_tenants};
pub use departments::DepartmentsQuery;
pub(crate) use export::{Reported, Sheet, Unavailable, Wanted, begin as begin_export};
pub use feed::{OfficeFeed, of_operations as feeds_of_operations};
pub use group::OfficeGroup;
pub use groups::OfficeGroups;
pub use inactive_users::InactiveUsersQuery;
pub use licences::LicencesQuery;
pub use permission::OfficePermission;
pub use report::{Report, Reports};
pub use storage::StorageQuery;
pub use teams_activity::TeamsActivityQuery;
pub use user::OfficeUser;
pub use users::OfficeUsers;

use async_graphql::Enum;

/// The days that a report counts over, up to its report refresh date.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "ReportPeriod")]
pub enum ReportPeriod {
    /// 7 days.
    #[graphql(name = "D7")]
    Week,
    /// 30 days.
    #[graphql(name = "D30")]
    Month,
    /// 90 days.
    #[graphql(name = "D90")]
    Quarter,
    /// 180 days.
    #[graphql(name = "D180")]
    HalfYear,
}

impl ReportPeriod {
    const ALL: [Self; 4] = [Self::Week, Self::Month, Self::Quarter, Self::HalfYear];

    /// How many days it is.
    const fn days(self) -> i32 {
        match self {
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 90,
            Self::HalfYear => 180,
        }
    }

    /// The period of so many days, if there is one.
    fn of_days(days: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.days() == days)
    }
}
