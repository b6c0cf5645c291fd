//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getmailboxusagedetail>: mailboxes.
//!
//! The list of columns on the page has two that its sample line has not; the list is newer.

use super::view::{View, date, truth};
use super::{Report, Row};
use crate::office::account;
use crate::office::sku::Service;

pub(super) const REPORT: Report = Report {
    name: "getmailboxusagedetail",
    header: "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Created Date,\
             Last Activity Date,Item Count,Storage Used (Byte),Issue Warning Quota (Byte),\
             Prohibit Send Quota (Byte),Prohibit Send/Receive Quota (Byte),Deleted Item Count,\
             Deleted Item Size (Byte),Deleted Item Quota (Byte),Has Archive,Report Period",
    has_days: false,
    rows,
};

const GIGABYTE: u64 = 1 << 30;

fn rows(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    for user in view.users().filter(|user| user.uses(Service::Exchange)) {
        let last = user.last_use(Service::Exchange, view.until);
        let created = account::day(user.created);
        // It grows for as long as it is used.
        let used_for = last.map_or(0, |last| u64::try_from(last - created).unwrap_or(0));
        let quota = user.licences.skus().map(|sku| sku.mailbox_gigabytes).max().unwrap_or(0) * GIGABYTE;
        let items = used_for * (1 + user.luck % 24);
        let used = (items * (20_000 + user.luck % 90_000)).min(quota);
        let (is_deleted, deleted) = view.deletion(&user);
        emit(vec![
            view.refresh_date(),
            view.name(&user.principal_name),
            view.name(&user.display_name),
            is_deleted,
            deleted,
            account::date(created),
            date(last),
            items.to_string(),
            used.to_string(),
            (quota / 100 * 98).to_string(),
            (quota / 100 * 99).to_string(),
            quota.to_string(),
            (items / 20).to_string(),
            (used / 25).to_string(),
            (30 * GIGABYTE).to_string(),
            truth(quota >= 100 * GIGABYTE && user.luck.is_multiple_of(4)),
            view.period.clone(),
        ]);
    }
}
