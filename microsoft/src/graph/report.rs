//! Usage reports of Office 365: files of rows, each behind a link that Graph hands out.
//!
//! <https://learn.microsoft.com/en-us/graph/api/resources/report>; needs `Reports.Read.All`.

pub mod active_user;
pub mod active_user_counts;
pub mod app_user;
mod columns;
pub(crate) mod etag;
pub(crate) mod hosts;
mod lines;
pub mod mailbox;
pub mod one_drive;
pub(crate) mod period;
pub(crate) mod rows;
pub mod service_counts;
pub mod site;
pub(crate) mod table;
pub mod teams_user;

use reqwest::header::{ETAG, LOCATION};
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::codes;
use crate::error::problem::header;
use crate::throttle::Budget;
use crate::{ETag, Fetched, Graph, MicrosoftError, Period, Rows};

/// A usage report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportKind {
    /// Who has a licence of which service, and when they last used it.
    ActiveUser,
    /// How many used each service, day by day.
    ActiveUserCounts,
    /// How many with a licence used each service, and how many did not.
    ServiceCounts,
    /// Mailboxes.
    Mailbox,
    /// Everybody's own files.
    OneDrive,
    /// SharePoint's sites.
    Site,
    /// What people do in Teams.
    TeamsUser,
    /// Who uses the Microsoft 365 Apps, and on what.
    AppUser,
}

impl ReportKind {
    /// Every report.
    pub const ALL: [Self; 8] = [
        Self::ActiveUser,
        Self::ActiveUserCounts,
        Self::ServiceCounts,
        Self::Mailbox,
        Self::OneDrive,
        Self::Site,
        Self::TeamsUser,
        Self::AppUser,
    ];

    /// Graph's name for it.
    pub fn function(self) -> &'static str {
        match self {
            Self::ActiveUser => "getOffice365ActiveUserDetail",
            Self::ActiveUserCounts => "getOffice365ActiveUserCounts",
            Self::ServiceCounts => "getOffice365ServicesUserCounts",
            Self::Mailbox => "getMailboxUsageDetail",
            Self::OneDrive => "getOneDriveUsageAccountDetail",
            Self::Site => "getSharePointSiteUsageDetail",
            Self::TeamsUser => "getTeamsUserActivityUserDetail",
            Self::AppUser => "getM365AppUserDetail",
        }
    }
}

/// A row of a report. What a report has no column for, and where a cell is empty, is absent.
pub trait Report: columns::Columns + Send + 'static {
    /// Which report it is a row of.
    const KIND: ReportKind;
}

impl Graph {
    /// Asks for a report, unless it is still the one with this tag. `Throttled`, without waiting: its budget is spent.
    pub async fn report<R: Report>(
        &self,
        tenant: Uuid,
        period: Period,
        etag: Option<&ETag>,
    ) -> Result<Fetched<R>, MicrosoftError> {
        match self.fetch(tenant, period, etag).await {
            // It lives for minutes, so one of the two hosts was slow, or they do not agree yet.
            Err(error) if error.code() == codes::REPORT_LINK_DEAD.code => {
                self.fetch(tenant, period, etag).await
            }
            fetched => fetched,
        }
    }

    async fn fetch<R: Report>(
        &self,
        tenant: Uuid,
        period: Period,
        etag: Option<&ETag>,
    ) -> Result<Fetched<R>, MicrosoftError> {
        let path = format!("/reports/{}(period='{}')", R::KIND.function(), period.as_str());
        let call = self
            .call_of(&path, Budget::Report(R::KIND))
            .if_none_match(etag.map(ETag::header_value))
            .answered_also_by(&[302, 304])
            .sparing();
        let reply = self.link.send(&Caller::App { tenant }, &call).await?;
        let link = match (reply.status, header(&reply.headers, LOCATION.as_str())) {
            (304, _) if etag.is_some() => return Ok(Fetched::NotModified),
            (302, Some(link)) => self.report_hosts.admitted(&link, self.link.base())?,
            _ => {
                return Err(MicrosoftError::of(
                    &codes::UNEXPECTED_ANSWER,
                    "Graph gave no link to the report",
                ));
            }
        };
        let download = self.link.download(&link, &call).await?;
        Ok(Fetched::Report(Rows::begin(download, header(&reply.headers, ETAG.as_str())).await?))
    }
}
