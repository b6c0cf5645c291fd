//! What the EA reporting service checks of an enrollment key.

use chrono::TimeDelta;
use reqwest::Method;
use simulator::ReportView;

use crate::cloud::{ARM, Cloud, authorized, got};

const PERIODS: &str = "/v3/enrollments/100/billingperiods";

fn key(cloud: &Cloud) -> String {
    let made = cloud.simulator.make_enrollment_key("100", TimeDelta::days(183), ReportView::System);
    made.expect("a key")
}

#[tokio::test]
async fn what_is_no_good_key_is_401_for_every_reason() {
    let cloud = Cloud::start();
    let (revoked, good) = (key(&cloud), key(&cloud));
    cloud.simulator.revoke_enrollment_key(&revoked);
    let expired = cloud.simulator.make_enrollment_key("100", TimeDelta::zero(), ReportView::System);
    let other = cloud.simulator.make_enrollment_key("200", TimeDelta::days(1), ReportView::System);
    let token = cloud.automation_token(ARM).await;
    for (what, key) in [
        ("revoked", revoked),
        ("expired", expired.expect("a key")),
        ("of another enrollment", other.expect("a key")),
        ("cut", good[..good.len() - 8].to_owned()),
        ("a token of Entra ID", token),
        ("nonsense", "nonsense".to_owned()),
    ] {
        let refused = cloud.get(&key, PERIODS).await;
        assert_eq!(refused.status, 401, "{what}");
        assert!(!refused.text.contains(&key), "{what}");
    }
    assert_eq!(cloud.open(PERIODS).await.status, 401);
    let basic = authorized(cloud.request(Method::GET, PERIODS), "Basic YTpi");
    assert_eq!(got(basic).await.status, 401);
}

#[tokio::test]
async fn a_good_key_reads_the_billing_periods_until_it_expires() {
    let cloud = Cloud::start();
    let good = key(&cloud);

    let read = cloud.get(&good, PERIODS).await;
    let lower = authorized(cloud.request(Method::GET, PERIODS), &format!("bearer {good}"));
    let lower = got(lower).await;
    cloud.pass(183 * 86_400);
    let later = cloud.get(&good, PERIODS).await;

    assert_eq!((read.status, lower.status, later.status), (200, 200, 401));
    assert_eq!(read.json[0]["billingPeriodId"], "202303");
    let calls = cloud.simulator.calls();
    assert!(calls.iter().all(|call| !format!("{call:?}").contains("eyJ")), "a key is kept");
}

#[tokio::test]
async fn a_key_whose_maker_may_not_see_charges_is_forbidden() {
    let cloud = Cloud::start();
    let made = cloud.simulator.make_enrollment_key("100", TimeDelta::days(183), ReportView::Account);
    let key = made.expect("a key");
    assert_eq!(cloud.get(&key, PERIODS).await.status, 200);
    cloud.simulator.hide_charges_from(&key);
    assert_eq!(cloud.get(&key, PERIODS).await.status, 403);
}

#[tokio::test]
async fn another_report_is_not_found() {
    let cloud = Cloud::start();
    let key = key(&cloud);
    for path in ["/v3/enrollments/100", "/v3/enrollments/100/nothing", "/v3/enrollments/1/0/billingperiods"] {
        assert_eq!(cloud.get(&key, path).await.status, 404, "{path}");
    }
}
