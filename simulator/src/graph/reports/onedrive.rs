//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getonedriveusageaccountdetail>: everybody's
//! own files.

use super::view::{View, date};
use super::{Report, Row};
use crate::office::account;
use crate::office::sku::Service;

pub(super) const REPORT: Report = Report {
    name: "getonedriveusageaccountdetail",
    header: "Report Refresh Date,Site URL,Owner Display Name,Is Deleted,Last Activity Date,File Count,\
             Active File Count,Storage Used (Byte),Storage Allocated (Byte),Owner Principal Name,Report Period",
    has_days: true,
    rows,
};

/// A terabyte, in bytes.
const ALLOCATED: u64 = 1 << 40;

/// Whoever never used it has none.
fn rows(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    for user in view.users() {
        let Some(last) = user.last_use(Service::OneDrive, view.until) else { continue };
        if view.only_active && last < view.from {
            continue;
        }
        let used_for = u64::try_from(last - account::day(user.created)).unwrap_or(0);
        let files = 3 + used_for * (user.luck % 5) / 2;
        let days = u64::from(user.activity.days(Service::OneDrive, view.from, view.until));
        let used = (files * (150_000 + user.luck % 4_000_000)).min(ALLOCATED);
        let place = user.principal_name.replace(['@', '.'], "_");
        emit(vec![
            view.refresh_date(),
            view.address(format!("https://contoso-my.sharepoint.com/personal/{place}")),
            view.name(&user.display_name),
            view.deletion(&user).0,
            date(Some(last)),
            files.to_string(),
            (days * 2).min(files).to_string(),
            used.to_string(),
            ALLOCATED.to_string(),
            view.name(&user.principal_name),
            view.period.clone(),
        ]);
    }
}
