//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getoffice365activeuserdetail>,
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getoffice365activeusercounts> and
//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getoffice365servicesusercounts>: who uses what.
//!
//! The columns of the two counts are those of 2021; newer ones were not found.

use super::view::{View, date, truth};
use super::{Report, Row};
use crate::office::account::{self, Account};
use crate::office::activity::Counts;
use crate::office::sku::Service;

pub(super) const DETAIL: Report = Report {
    name: "getoffice365activeuserdetail",
    header: "Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Has Exchange License,\
             Has OneDrive License,Has SharePoint License,Has Skype For Business License,Has Yammer License,\
             Has Teams License,Exchange Last Activity Date,OneDrive Last Activity Date,\
             SharePoint Last Activity Date,Skype For Business Last Activity Date,Yammer Last Activity Date,\
             Teams Last Activity Date,Exchange License Assign Date,OneDrive License Assign Date,\
             SharePoint License Assign Date,Skype For Business License Assign Date,Yammer License Assign Date,\
             Teams License Assign Date,Assigned Products",
    has_days: true,
    rows: detail,
};

pub(super) const COUNTS: Report = Report {
    name: "getoffice365activeusercounts",
    header: "Report Refresh Date,Office 365,Exchange,OneDrive,SharePoint,Skype For Business,Yammer,Teams,\
             Report Date,Report Period",
    has_days: false,
    rows: counts,
};

pub(super) const SERVICES: Report = Report {
    name: "getoffice365servicesusercounts",
    header: "Report Refresh Date,Exchange Active,Exchange Inactive,OneDrive Active,OneDrive Inactive,\
             SharePoint Active,SharePoint Inactive,Skype For Business Active,Skype For Business Inactive,\
             Yammer Active,Yammer Inactive,Teams Active,Teams Inactive,Office 365 Active,Office 365 Inactive,\
             Report Period",
    has_days: false,
    rows: services,
};

fn detail(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    for user in view.users() {
        if view.only_active && last_of_any(&user, view).is_none_or(|day| day < view.from) {
            continue;
        }
        let (is_deleted, deleted) = view.deletion(&user);
        let mut row = vec![
            view.refresh_date(),
            view.name(&user.principal_name),
            view.name(&user.display_name),
            is_deleted,
            deleted,
        ];
        row.extend(Service::REPORTED.map(|service| truth(user.uses(service))));
        row.extend(Service::REPORTED.map(|service| date(user.last_use(service, view.until))));
        // Whoever was created got the licence then, as far as this cloud knows.
        let assigned = account::date(account::day(user.created));
        row.extend(Service::REPORTED.map(
            |service| {
                if user.uses(service) { assigned.clone() } else { String::new() }
            },
        ));
        row.push(user.licences.products());
        emit(row);
    }
}

fn last_of_any(user: &Account, view: &View<'_>) -> Option<i32> {
    user.activity.last_of_any(|service| user.uses(service), view.until)
}

/// A row for each day, the last one first.
fn counts(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    let new = || Counts::new(view.from, view.until);
    let (mut any, mut each) = (new(), Service::REPORTED.map(|service| (service, new())));
    for user in view.users() {
        any.add_any(&user.activity, |service| user.uses(service));
        for (service, counts) in &mut each {
            if user.uses(*service) {
                counts.add(&user.activity, *service);
            }
        }
    }
    for day in (view.from..=view.until).rev() {
        let mut row = vec![view.refresh_date(), any.on(day).to_string()];
        row.extend(each.iter().map(|(_, counts)| counts.on(day).to_string()));
        row.extend([account::date(day), view.period.clone()]);
        emit(row);
    }
}

/// One row: how many of those who have a licence were active at all.
fn services(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    let mut each = Service::REPORTED.map(|service| (service, 0_u64, 0_u64));
    let (mut active, mut inactive) = (0_u64, 0_u64);
    let is_recent = |day: Option<i32>| day.is_some_and(|day| day >= view.from);
    for user in view.users() {
        for (service, active, inactive) in &mut each {
            if user.uses(*service) {
                let is_active = is_recent(user.last_use(*service, view.until));
                *(if is_active { active } else { inactive }) += 1;
            }
        }
        *(if is_recent(last_of_any(&user, view)) { &mut active } else { &mut inactive }) += 1;
    }
    let mut row = vec![view.refresh_date()];
    row.extend(each.iter().flat_map(|(_, active, inactive)| [active.to_string(), inactive.to_string()]));
    row.extend([active.to_string(), inactive.to_string(), view.period.clone()]);
    emit(row);
}
