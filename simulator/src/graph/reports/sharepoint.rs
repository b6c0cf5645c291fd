//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getsharepointsiteusagedetail>: the sites, one of each
//! Microsoft 365 group.

use super::view::{View, date, truth};
use super::{Report, Row};
use crate::office::account;
use crate::office::activity::Activity;
use crate::office::group::Member;
use crate::office::id_of;
use crate::office::sku::Service;
use crate::world::mix;

pub(super) const REPORT: Report = Report {
    name: "getsharepointsiteusagedetail",
    header: "Report Refresh Date,Site Id,Site URL,Owner Display Name,Is Deleted,Last Activity Date,File Count,\
             Active File Count,Page View Count,Visited Page Count,Storage Used (Byte),Storage Allocated (Byte),\
             Root Web Template,Owner Principal Name,Report Period",
    has_days: true,
    rows,
};

/// 25 terabytes, in bytes.
const ALLOCATED: u64 = 25 << 40;

fn rows(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    if !view.office.origin.has_office {
        return;
    }
    for group in view.sites() {
        let created = account::day(group.created);
        let activity = Activity::of(mix(group.luck, 9), created + 1, group.deleted.map(account::day));
        // A site's rhythm is that of mail: every site of some activity has it.
        let last = activity.last_until(Service::Exchange, view.until);
        if view.only_active && last.is_none_or(|last| last < view.from) {
            continue;
        }
        let days = u64::from(activity.days(Service::Exchange, view.from, view.until));
        let used_for = last.map_or(0, |last| u64::try_from(last - created).unwrap_or(0));
        let files = used_for * (1 + group.luck % 4);
        let first_user = view.office.members(group.number).find_map(|member| match member {
            Member::User(number) => Some(view.office.account(number)),
            _ => None,
        });
        let owner = |name: fn(&account::Account) -> &str| {
            first_user.as_ref().map(|user| view.name(name(user))).unwrap_or_default()
        };
        let is_deleted = group.deleted.is_some_and(|at| account::day(at) <= view.refreshed);
        emit(vec![
            view.refresh_date(),
            view.id(id_of(view.office.origin.seed, "site", group.number)),
            view.address(format!("https://contoso.sharepoint.com/sites/{}", group.alias())),
            owner(|user| &user.display_name),
            truth(is_deleted),
            date(last),
            files.to_string(),
            (days * 3).min(files).to_string(),
            (days * (1 + group.luck % 30)).to_string(),
            (days * (1 + group.luck % 7)).to_string(),
            (files * (700_000 + group.luck % 9_000_000)).min(ALLOCATED).to_string(),
            ALLOCATED.to_string(),
            "Group".to_owned(),
            owner(|user| &user.principal_name),
            view.period.clone(),
        ]);
    }
}
