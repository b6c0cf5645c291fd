//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getm365appuserdetail>: who uses which of the Microsoft 365
//! Apps, and on what.

use super::view::{View, date, yes};
use super::{Report, Row};
use crate::office::account::{self, Account};
use crate::office::sku::Service;

pub(super) const REPORT: Report = Report {
    name: "getm365appuserdetail",
    header: "Report Refresh Date,User Principal Name,Last Activation Date,Last Activity Date,Report Period,\
             Windows,Mac,Mobile,Web,Outlook,Word,Excel,PowerPoint,OneNote,Teams,\
             Outlook (Windows),Word (Windows),Excel (Windows),PowerPoint (Windows),OneNote (Windows),\
             Teams (Windows),Outlook (Mac),Word (Mac),Excel (Mac),PowerPoint (Mac),OneNote (Mac),Teams (Mac),\
             Outlook (Mobile),Word (Mobile),Excel (Mobile),PowerPoint (Mobile),OneNote (Mobile),\
             Teams (Mobile),Outlook (Web),Word (Web),Excel (Web),PowerPoint (Web),OneNote (Web),Teams (Web)",
    has_days: true,
    rows,
};

const PLATFORMS: usize = 4;
const APPS: usize = 6;

fn rows(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    for user in view.users().filter(|user| user.uses(Service::Apps)) {
        let last = user.last_use(Service::Apps, view.until);
        let is_active = last.is_some_and(|last| last >= view.from);
        if view.only_active && !is_active {
            continue;
        }
        // Once installed, which some never did.
        let activated = last.map(|_| account::day(user.created) + 1);
        let mut row = vec![
            view.refresh_date(),
            view.name(&user.principal_name),
            date(activated),
            date(last),
            view.period.clone(),
        ];
        row.extend(uses(&user, is_active).map(yes));
        emit(row);
    }
}

/// The platforms, the apps, then each app on each platform.
fn uses(user: &Account, is_active: bool) -> [bool; PLATFORMS + APPS + PLATFORMS * APPS] {
    let mut marks = [false; PLATFORMS + APPS + PLATFORMS * APPS];
    for place in 0..PLATFORMS * APPS {
        let (platform, app) = (place / APPS, place % APPS);
        // Nearly everybody has Windows, few have a Mac.
        let is_used = is_active
            && match platform {
                0 => !user.luck.is_multiple_of(9),
                1 => user.luck.is_multiple_of(9),
                2 => (user.luck >> 5).is_multiple_of(2),
                _ => (user.luck >> 6).is_multiple_of(3),
            }
            && (app == 0 || (user.luck >> (8 + app)).is_multiple_of(2));
        marks[platform] |= is_used;
        marks[PLATFORMS + app] |= is_used;
        marks[PLATFORMS + APPS + place] = is_used;
    }
    marks
}
