//! A feed: one kind of Office 365 data of a tenant, how far it is read, and how that went.

use sea_orm::entity::prelude::*;
use sea_orm::{FromJsonQueryResult, Select};
use serde::{Deserialize, Serialize};

use crate::Failure;

/// What a feed reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Kind {
    /// Users, with the licences assigned to each.
    #[sea_orm(string_value = "USERS")]
    Users,
    /// Groups, with their direct members.
    #[sea_orm(string_value = "GROUPS")]
    Groups,
    /// How many licences of each product the tenant has bought.
    #[sea_orm(string_value = "PURCHASED_LICENCES")]
    PurchasedLicences,
    /// When each user signed in last.
    #[sea_orm(string_value = "SIGN_INS")]
    SignIns,
    /// The last activity of each user in each service.
    #[sea_orm(string_value = "USER_ACTIVITY")]
    UserActivity,
    /// How many users were active in each service, day by day.
    #[sea_orm(string_value = "ACTIVE_USERS")]
    ActiveUsers,
    /// How many users were active in each service over a period, and how many were not.
    #[sea_orm(string_value = "SERVICE_USERS")]
    ServiceUsers,
    /// The storage of each mailbox.
    #[sea_orm(string_value = "MAILBOXES")]
    Mailboxes,
    /// The storage of each user's `OneDrive`.
    #[sea_orm(string_value = "ONEDRIVES")]
    Onedrives,
    /// The storage of each `SharePoint` site.
    #[sea_orm(string_value = "SITES")]
    Sites,
    /// What each user did in Teams over a period.
    #[sea_orm(string_value = "TEAMS_ACTIVITY")]
    TeamsActivity,
    /// On which platforms each user used Microsoft 365 Apps over a period.
    #[sea_orm(string_value = "APP_USAGE")]
    AppUsage,
}

/// The periods of reports that count over one, in days.
pub const PERIODS: [i32; 4] = [7, 30, 90, 180];

impl Kind {
    /// Every kind, in the order in which they are read: users before what is joined to them.
    pub const ALL: [Self; 12] = [
        Self::Users,
        Self::Groups,
        Self::PurchasedLicences,
        Self::SignIns,
        Self::UserActivity,
        Self::ActiveUsers,
        Self::ServiceUsers,
        Self::Mailboxes,
        Self::Onedrives,
        Self::Sites,
        Self::TeamsActivity,
        Self::AppUsage,
    ];

    /// The periods it is read for, in days; where the figures do not depend on the period that is the longest, and for
    /// what has none it is 0.
    pub fn periods(self) -> &'static [i32] {
        match self {
            Self::Users | Self::Groups | Self::PurchasedLicences | Self::SignIns => &[0],
            Self::UserActivity | Self::ActiveUsers | Self::Mailboxes | Self::Onedrives | Self::Sites => {
                &[180]
            }
            Self::ServiceUsers | Self::TeamsActivity | Self::AppUsage => &PERIODS,
        }
    }

    /// Whether it is a usage report.
    pub fn is_report(self) -> bool {
        self.periods() != [0]
    }
}

/// How a feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// It is to be read.
    #[sea_orm(string_value = "WAITING")]
    Waiting,
    /// It is being read.
    #[sea_orm(string_value = "LOADING")]
    Loading,
    /// It was read in full.
    #[sea_orm(string_value = "LOADED")]
    Loaded,
    /// Microsoft has nothing newer than what was read before.
    #[sea_orm(string_value = "UNCHANGED")]
    Unchanged,
    /// The permission that it needs is not granted.
    #[sea_orm(string_value = "NOT_GRANTED")]
    NotGranted,
    /// It could not be read; what was read before is kept.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

impl State {
    /// Those that more is to be done about.
    pub const OPEN: [Self; 2] = [Self::Waiting, Self::Loading];
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Why: the column and what is wrong, never what it holds.
    pub reason: String,
}

/// The first of the rows that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct RefusedRows(pub Vec<RefusedRow>);

/// One feed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "office_feed")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// What it reads.
    pub kind: Kind,
    /// The period, in days; 0 for what has none.
    pub period: i32,
    /// The operation that reads it, or read it last.
    pub operation_id: Option<Uuid>,
    /// How it stands.
    pub state: State,
    /// Where reading goes on: at the next page of a round, or with what has changed since the last one.
    pub link: Option<String>,
    /// Whether a round was read to its end, so that the link leads to changes.
    pub is_complete: bool,
    /// Counts full rounds: what the last one did not show is gone.
    pub round: i64,
    /// Rows that were read by the operation.
    pub rows_read: i64,
    /// Rows that could not be read.
    pub rows_refused: i64,
    /// The first of these.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub refused: Option<RefusedRows>,
    /// What went wrong, if anything did.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub failure: Option<Failure>,
    /// By which Microsoft says that a report is still the same.
    pub etag: Option<String>,
    /// The report that is the current one.
    pub report_id: Option<Uuid>,
    /// Names the rows that are the current ones.
    pub load_id: Option<Uuid>,
    /// When it was last read in full, or found unchanged.
    pub loaded_at: Option<DateTimeUtc>,
    /// When it last moved on.
    pub updated_at: DateTimeUtc,
}

/// The id of a tenant's feed.
pub fn id_of(tenant_id: Uuid, kind: Kind, period: i32) -> Uuid {
    let name = format!("feed:{}:{period}", sea_orm::ActiveEnum::to_value(&kind));
    Uuid::new_v5(&tenant_id, name.as_bytes())
}

/// A feed's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::whole_tenants(Column::TenantId, holder))
    }
}
