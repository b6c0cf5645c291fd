//! <https://learn.microsoft.com/en-us/graph/api/user-list>: users, and the licences of each.

use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::query::{self, Page, Query};
use super::{Asked, error};
use crate::office::account::{self, Account};
use crate::office::activity::Day;
use crate::reply::Reply;

/// Who may read users.
pub(super) const READERS: [&str; 2] = ["User.Read.All", "Directory.Read.All"];

/// The type, as its rows and contexts name it.
pub(super) const TYPE: &str = "#microsoft.graph.user";

/// What is answered unless properties are selected, in Microsoft's order.
const USUAL: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];
/// What is answered only if it is selected.
const MORE: [&str; 10] = [
    "accountEnabled",
    "userType",
    "createdDateTime",
    "assignedLicenses",
    "department",
    "usageLocation",
    "mailNickname",
    "companyName",
    "externalUserState",
    "onPremisesSyncEnabled",
];
/// Selected for one user, or with more than one permission.
pub(super) const SIGN_IN_ACTIVITY: &str = "signInActivity";
/// What no list can answer.
const NOT_IN_LISTS: [&str; 11] = [
    "aboutMe",
    "birthday",
    "hireDate",
    "interests",
    "mailboxSettings",
    "mySite",
    "pastProjects",
    "preferredName",
    "responsibilities",
    "schools",
    "skills",
];
/// The most rows of a page with sign-in activity.
const SIGN_IN_PAGE: usize = 500;

pub(super) fn list(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    let query = Query::of(asked)?;
    let select = checked(query.select.as_deref())?;
    let known = [USUAL.as_slice(), MORE.as_slice(), &[SIGN_IN_ACTIVITY]].concat();
    let filter = Filter::of(&query, &known)?;
    let is_about_sign_in = select.contains(&SIGN_IN_ACTIVITY)
        || filter.as_ref().is_some_and(|filter| filter.names(SIGN_IN_ACTIVITY));
    if is_about_sign_in {
        must_see_sign_in(asked)?;
    }
    let most = if is_about_sign_in { SIGN_IN_PAGE } else { usize::MAX };
    let (office, today) = (asked.office(), account::day(asked.now));
    let fits = |user: &Account| filter.as_ref().is_none_or(|filter| filter.holds(&row(user, &known, today)));
    let numbers = office.user_numbers();
    let mut page = Page::filled(&query, query.page_size(most), numbers, |number| {
        let user = office.user(number).filter(&fits)?;
        Some(row(&user, &select, today))
    });
    page.count = query.wants_count().then(|| match filter {
        None => office.count_users(),
        Some(_) => office.users().filter(&fits).count() as u64,
    });
    Ok(page.reply(asked, &query::context("users", query.select.as_deref())))
}

pub(super) fn count(asked: &Asked<'_>) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    query::only_count(asked, asked.office().count_users())
}

/// <https://learn.microsoft.com/en-us/graph/api/user-get>
pub(super) fn get(asked: &Asked<'_>, name: &str) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    let names = query::selected(asked.incoming);
    let select = checked(names.as_deref())?;
    if select.contains(&SIGN_IN_ACTIVITY) {
        must_see_sign_in(asked)?;
    }
    let mut row = row(&found(asked, name)?, &select, account::day(asked.now));
    row["@odata.context"] = asked.context(&format!("{}/$entity", query::context("users", names.as_deref())));
    Ok(Reply::json(200, &row))
}

/// <https://learn.microsoft.com/en-us/graph/api/user-list-licensedetails>
pub(super) fn licence_details(asked: &Asked<'_>, name: &str) -> Result<Reply, Reply> {
    asked.must(&READERS)?;
    let user = found(asked, name)?;
    let details = user.licences.skus().map(|sku| {
        let off = user.licences.disabled_plans(sku);
        let plans = sku.plans.iter().map(|plan| {
            let status = if off.contains(&plan.id) { "Disabled" } else { "Success" };
            json!({
                "servicePlanId": plan.id, "servicePlanName": plan.name,
                "provisioningStatus": status, "appliesTo": "User",
            })
        });
        let plans: Vec<_> = plans.collect();
        json!({ "id": sku.id.simple().to_string(), "skuId": sku.id, "skuPartNumber": sku.part_number,
            "servicePlans": plans })
    });
    let context = asked.context(&format!("users('{name}')/licenseDetails"));
    Ok(Reply::json(200, &json!({ "@odata.context": context, "value": details.collect::<Vec<_>>() })))
}

fn found(asked: &Asked<'_>, name: &str) -> Result<Account, Reply> {
    let office = asked.office();
    let user = office.find_user(name).and_then(|number| office.user(number));
    user.ok_or_else(|| error::not_found(name))
}

/// <https://github.com/microsoftgraph/microsoft-graph-explorer-v4/issues/2731>, and a tenant without a premium
/// licence.
fn must_see_sign_in(asked: &Asked<'_>) -> Result<(), Reply> {
    if !asked.may(&["AuditLog.Read.All"]) {
        let message = "Calling principal does not have required MSGraph permissions AuditLog.Read.All";
        return Err(error::refusal(403, "Authentication_MSGraphPermissionMissing", message));
    }
    if !asked.dials.is_premium {
        let message = "Neither tenant is B2C or tenant doesn't have premium license";
        return Err(error::refusal(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", message));
    }
    Ok(())
}

/// The properties that are to be answered, in their own case.
pub(super) fn checked(select: Option<&[String]>) -> Result<Vec<&'static str>, Reply> {
    let Some(select) = select else { return Ok(USUAL.to_vec()) };
    select.iter().map(|name| property(name)).collect()
}

fn property(name: &str) -> Result<&'static str, Reply> {
    let is_it = |known: &&&'static str| known.eq_ignore_ascii_case(name);
    if let Some(found) = USUAL.iter().chain(&MORE).chain([&SIGN_IN_ACTIVITY]).find(is_it) {
        return Ok(found);
    }
    if NOT_IN_LISTS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(error::refusal(501, "NotImplemented", "This operation target is not yet supported."));
    }
    let message = format!(
        "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
         'microsoft.graph.user'."
    );
    Err(error::refusal(400, "BadRequest", &message))
}

/// The properties of a user that can be selected and are known here; others of its type are left out.
pub(super) fn known(select: &[String]) -> Vec<&'static str> {
    select.iter().filter_map(|name| property(name).ok()).collect()
}

pub(super) fn row(user: &Account, select: &[&'static str], today: Day) -> Value {
    let mut row = Map::new();
    for &name in select {
        if name == SIGN_IN_ACTIVITY {
            // Not there at all for whoever never signed in.
            row.extend(sign_in(user, today).map(|activity| (name.to_owned(), activity)));
        } else {
            row.insert(name.to_owned(), value(user, name));
        }
    }
    Value::Object(row)
}

fn value(user: &Account, name: &str) -> Value {
    match name {
        "id" => json!(user.id),
        "displayName" => json!(user.display_name),
        "givenName" => json!(user.given_name),
        "surname" => json!(user.surname),
        "userPrincipalName" => json!(user.principal_name),
        "mail" => json!(user.mail),
        "mailNickname" => json!(user.principal_name.split('@').next()),
        "businessPhones" => json!([]),
        "jobTitle" => json!(user.job_title),
        "officeLocation" => json!(user.office),
        "department" => json!(user.department),
        "usageLocation" => json!(user.usage_location),
        "accountEnabled" => json!(user.is_enabled),
        "userType" => json!(if user.is_guest { "Guest" } else { "Member" }),
        "externalUserState" => json!(user.is_guest.then_some("Accepted")),
        "createdDateTime" => json!(user.created.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
        "assignedLicenses" => Value::Array(licences(user)),
        _ => Value::Null,
    }
}

/// <https://learn.microsoft.com/en-us/graph/api/resources/assignedlicense>
fn licences(user: &Account) -> Vec<Value> {
    let all = user.licences.skus();
    all.map(|sku| json!({ "disabledPlans": user.licences.disabled_plans(sku), "skuId": sku.id })).collect()
}

/// <https://learn.microsoft.com/en-us/graph/api/resources/signinactivity>: the last attempt may have failed, and
/// successes are only known since December 2023.
fn sign_in(user: &Account, today: Day) -> Option<Value> {
    let last = user.activity.last_of_any(|_| true, today)?;
    let has_failed_since = user.luck.is_multiple_of(10) && last < today;
    let at =
        |day: Day, hour: u64| json!(format!("{}T{hour:02}:{:02}:00Z", account::date(day), user.luck % 60));
    let request = |number: u64| json!(uuid::Uuid::from_u64_pair(user.luck, number));
    let mut activity = json!({
        "lastSignInDateTime": at(last + i32::from(has_failed_since), 7 + user.luck % 3),
        "lastSignInRequestId": request(1),
        "lastNonInteractiveSignInDateTime": at(last, 11),
        "lastNonInteractiveSignInRequestId": request(2),
    });
    // The first of December 2023.
    if last >= 738_855 {
        activity["lastSuccessfulSignInDateTime"] = at(last, 11);
        activity["lastSuccessfulSignInRequestId"] = request(2);
    }
    Some(activity)
}
