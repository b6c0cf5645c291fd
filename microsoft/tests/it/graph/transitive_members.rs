//! Everybody in many groups, by batches whose parts fail one by one.

use std::collections::BTreeSet;
use std::time::Duration;

use microsoft::{GroupMember, GroupMemberKind, MicrosoftError};
use simulator::{Config, Fault};
use uuid::Uuid;

use crate::cloud::Cloud;

const BATCH: &str = "/v1.0/$batch";
const TOO_MANY: &str = r#"{"error":{"code":"TooManyRequests","message":"Too many requests."}}"#;

fn groups(cloud: &Cloud, places: std::ops::Range<u64>) -> Vec<Uuid> {
    places.filter_map(|place| cloud.simulator.office_group(place)).collect()
}

fn path(group: Uuid) -> String {
    format!("/v1.0/groups/{group}/transitiveMembers")
}

fn ids(members: &[GroupMember]) -> BTreeSet<Uuid> {
    members.iter().map(|member| member.id).collect()
}

#[tokio::test]
async fn one_group_that_is_gone_hides_no_other() {
    let cloud = Cloud::usual();
    let mut asked = groups(&cloud, 0..5);
    let (gone, never) = (asked[3], Uuid::from_u128(404));
    asked.push(never);
    cloud.simulator.delete_group(gone);

    let found = cloud.graph().transitive_members(cloud.tenant(), &asked).await.expect("answers");

    assert_eq!(found.len(), 6);
    for missing in [gone, never] {
        let error = found[&missing].as_ref().expect_err("a refusal");
        assert!(matches!(error, MicrosoftError::NotFound { .. }), "{error}");
    }
    let owner = cloud.simulator.office_user(5).expect("the group owner").id;
    let outer = found[&asked[1]].as_ref().expect("members");
    assert_eq!(ids(outer), BTreeSet::from([asked[0], owner]), "a group, and who is in that");
    let kinds: BTreeSet<_> =
        found[&asked[4]].as_ref().expect("members").iter().map(|member| member.kind).collect();
    assert!(kinds.contains(&GroupMemberKind::Device) && kinds.contains(&GroupMemberKind::ServicePrincipal));
    assert_eq!(cloud.calls_to(BATCH), 1);
}

#[tokio::test]
async fn twenty_are_asked_about_at_once_and_pages_are_followed() {
    let cloud = Cloud::usual();
    let asked = groups(&cloud, 0..40);
    let whole = cloud.graph().transitive_members(cloud.tenant(), &asked).await.expect("answers");
    assert_eq!((whole.len(), cloud.calls_to(BATCH)), (40, 2));
    let everybody = whole[&asked[2]].as_ref().expect("members");
    let wanted = cloud.simulator.office_users().iter().filter(|user| !user.is_guest).count();
    assert_eq!((everybody.len(), ids(everybody).len()), (wanted, wanted));

    cloud.simulator.set_graph_page_size(1);
    let few = &asked[..2];
    let page_by_page = cloud.graph().transitive_members(cloud.tenant(), few).await.expect("answers");
    assert!(few.iter().all(|group| page_by_page[group] == whole[group]));
    assert!(page_by_page[&few[1]].as_ref().is_ok_and(|members| members.len() == 2));
    assert!(cloud.graph().transitive_members(cloud.tenant(), &[]).await.expect("nothing").is_empty());
}

#[tokio::test]
async fn only_what_was_throttled_is_asked_again() {
    let cloud = Cloud::usual();
    let asked = groups(&cloud, 0..3);
    let headers: [(&str, &str); 1] = [("retry-after", "1.2")];
    let faults = cloud.simulator.faults();
    faults.plan(Fault::on("GET", &path(asked[0])).answer(429, &headers, TOO_MANY));
    faults.plan(Fault::on("GET", &path(asked[1])).answer(503, &[], ""));
    // Whoever asks for the third one again finds that it is not there any more.
    faults.plan(Fault::on("GET", &path(asked[2])).after(1).answer(404, &[], "{}"));

    let found = cloud.graph().transitive_members(cloud.tenant(), &asked).await.expect("answers");

    assert!(found.values().all(Result::is_ok), "{found:?}");
    assert_eq!(cloud.calls_to(BATCH), 2);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_the_callers_and_concerns_one_group() {
    let cloud = Cloud::usual();
    let asked = groups(&cloud, 0..3);
    let headers: [(&str, &str); 1] = [("retry-after", "600")];
    cloud.simulator.faults().plan(Fault::on("GET", &path(asked[1])).answer(429, &headers, TOO_MANY));

    let found = cloud.graph().transitive_members(cloud.tenant(), &asked).await.expect("answers");

    let error = found[&asked[1]].as_ref().expect_err("a refusal");
    assert_eq!(error.retry_after(), Some(Duration::from_mins(10)));
    assert!(found[&asked[0]].is_ok() && found[&asked[2]].is_ok());
    assert_eq!(cloud.calls_to(BATCH), 1);
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole_where_nobody_consented() {
    let cloud = Cloud::with(Config::default());
    let asked = groups(&cloud, 0..3);
    let error = cloud.graph().transitive_members(cloud.tenant(), &asked).await.expect_err("a refusal");
    assert!(matches!(error, MicrosoftError::ConsentWithdrawn { .. }), "{error}");
}
