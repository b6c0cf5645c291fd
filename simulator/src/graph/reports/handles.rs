//! How reports come out while the cloud runs, as an administrator or a test wishes.

use super::super::reports::Reporting;
use crate::server::Simulator;
use crate::state::lock;

/// What is odd about reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReportMode {
    /// Nothing: as Microsoft's pages list the columns, after a byte order mark.
    #[default]
    Usual,
    /// There is no row.
    HeaderOnly,
    /// There is not even a header.
    Empty,
    /// There are columns that nobody knows, one of them first.
    ExtraColumns,
    /// These columns are missing.
    MissingColumns(Vec<String>),
    /// The columns are in another order.
    ReorderedColumns,
    /// There is no byte order mark, and lines end without a carriage return.
    Plain,
}

impl Simulator {
    fn change_reports(&self, change: impl FnOnce(&mut Reporting)) {
        change(&mut lock(&self.state.reporting));
    }

    /// The address of the host to which reports are redirected: the same machine by another name.
    pub fn reports_url(&self) -> String {
        self.state.reports_url()
    }

    /// Conceals the names of users, groups and sites in reports from now on, or shows them.
    pub fn conceal_names(&self, is_concealed: bool) {
        self.change_reports(|reporting| reporting.is_concealed = is_concealed);
    }

    /// What is odd about reports from now on.
    pub fn set_report_mode(&self, mode: ReportMode) {
        self.change_reports(|reporting| reporting.mode = mode);
    }

    /// How many days reports are behind: two, unless told otherwise.
    pub fn set_report_lateness(&self, days: u16) {
        self.change_reports(|reporting| reporting.lateness = days.into());
    }

    /// Refuses the next requests for reports with `MissingCredentials`, as an incident once did.
    pub fn fail_reports(&self, times: u32) {
        self.change_reports(|reporting| reporting.failures = times);
    }
}
