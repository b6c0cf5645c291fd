//! <https://learn.microsoft.com/en-us/graph/api/reportroot-getteamsuseractivityuserdetail>: what people do in Teams.

use super::view::{View, date, yes};
use super::{Report, Row};
use crate::office::account::Account;
use crate::office::sku::Service;

pub(super) const REPORT: Report = Report {
    name: "getteamsuseractivityuserdetail",
    header: "Report Refresh Date,Tenant Display Name,Shared Channel Tenant Display Names,User Id,\
             User Principal Name,Last Activity Date,Is Deleted,Deleted Date,Assigned Products,\
             Team Chat Message Count,Private Chat Message Count,Call Count,Meeting Count,Post Messages,\
             Reply Messages,Urgent Messages,Meetings Organized Count,Meetings Attended Count,\
             Ad Hoc Meetings Organized Count,Ad Hoc Meetings Attended Count,\
             Scheduled One-time Meetings Organized Count,Scheduled One-time Meetings Attended Count,\
             Scheduled Recurring Meetings Organized Count,Scheduled Recurring Meetings Attended Count,\
             Audio Duration,Video Duration,Screen Share Duration,Audio Duration In Seconds,\
             Video Duration In Seconds,Screen Share Duration In Seconds,Has Other Action,Is Licensed,\
             Report Period",
    has_days: true,
    rows,
};

fn rows(view: &View<'_>, emit: &mut dyn FnMut(Row)) {
    for user in view.users().filter(|user| user.uses(Service::Teams)) {
        let last = user.last_use(Service::Teams, view.until);
        if view.only_active && last.is_none_or(|last| last < view.from) {
            continue;
        }
        let (is_deleted, deleted) = view.deletion(&user);
        let mut row = vec![
            view.refresh_date(),
            "Contoso".to_owned(),
            String::new(),
            view.id(user.id),
            view.name(&user.principal_name),
            date(last),
            is_deleted,
            deleted,
            user.licences.products(),
        ];
        row.extend(figures(&user, view));
        row.extend([yes(user.luck.is_multiple_of(3)), yes(true), view.period.clone()]);
        emit(row);
    }
}

/// Messages, calls and meetings, then how long there was sound, sight and a screen.
fn figures(user: &Account, view: &View<'_>) -> Vec<String> {
    let days = u64::from(user.activity.days(Service::Teams, view.from, view.until));
    let a_day = |shift: u32, most: u64| days * ((user.luck >> shift) % most);
    let (posts, replies, meetings) = (a_day(3, 3), a_day(5, 4), a_day(9, 4));
    let organized = meetings / 4;
    let counts = [
        posts + replies,
        a_day(11, 30),
        a_day(13, 3),
        meetings,
        posts,
        replies,
        days / 20,
        organized,
        meetings - organized,
        organized / 3,
        (meetings - organized) / 3,
        organized / 3,
        (meetings - organized) / 3,
        organized - 2 * (organized / 3),
        meetings - organized - 2 * ((meetings - organized) / 3),
    ];
    let audio = meetings * 1_800 + a_day(13, 3) * 240;
    let seconds = [audio, audio / 2, audio / 5];
    let figures = counts.map(|count| count.to_string()).into_iter();
    figures.chain(seconds.map(duration)).chain(seconds.map(|count| count.to_string())).collect()
}

/// <https://en.wikipedia.org/wiki/ISO_8601#Durations>, of which Microsoft's page says nothing.
fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let part = |count: u64, unit: &str| if count > 0 { format!("{count}{unit}") } else { String::new() };
    let text = format!("PT{}{}{}", part(hours, "H"), part(minutes, "M"), part(seconds, "S"));
    if text == "PT" { "PT0S".to_owned() } else { text }
}
