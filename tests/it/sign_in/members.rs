//! Members: what they may do, how far they reach, and how that changes.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use support::app::TestApp;
use support::browser::Browser;
use support::eventually::eventually;

/// The id of the member who signed in here.
async fn member_of(browser: &Browser) -> Result<String> {
    let answered = browser.ask("{ viewer { member { id } } }").await?;
    let id = answered.json["data"]["viewer"]["member"]["id"].as_str();
    Ok(id.context("nobody is signed in")?.to_owned())
}

async fn change(app: &TestApp, input: Value) -> Result<Value> {
    let query = "mutation($input: ChangeMemberInput!) { changeMember(input: $input) {
                   member { role reach { extent tenantIds subscriptionIds } } userErrors { code } } }";
    Ok(app.ask(query, json!({ "input": input })).await?["changeMember"].take())
}

async fn codes(app: &TestApp, query: &str, variables: Value) -> Result<Value> {
    let data = app.ask(query, variables).await?;
    let payload = data.as_object().and_then(|data| data.values().next()).cloned().unwrap_or_default();
    Ok(payload["userErrors"].clone())
}

async fn subscriptions(browser: &Browser) -> Result<Vec<String>> {
    let answered = browser.ask("{ subscriptions { nodes { id } } }").await?;
    let nodes = answered.json["data"]["subscriptions"]["nodes"].as_array().cloned().unwrap_or_default();
    Ok(nodes.iter().filter_map(|node| node["id"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn a_changed_role_counts_within_a_second() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    let invitations = "{ invitations { nodes { id } } }";
    let refused = browser.ask(invitations).await?;
    assert_eq!((refused.status, refused.why()), (403, ("FORBIDDEN", "INSUFFICIENT_ROLE")));
    assert!(refused.challenge.contains("insufficient_scope"), "{}", refused.challenge);

    change(&app, json!({ "memberId": member_of(&browser).await?, "role": "ADMIN" })).await?;

    eventually("the role counts", async || {
        (browser.ask(invitations).await.ok()?.status == 200).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_removed_member_is_signed_out_and_may_be_invited_again() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    let id = json!({ "id": member_of(&browser).await? });
    let remove = "mutation($id: ID!) { removeMember(input: { memberId: $id }) { userErrors { code } } }";

    assert_eq!(codes(&app, remove, id.clone()).await?, json!([]));

    eventually("the session has ended", async || {
        (browser.ask("{ viewer { member { id } } }").await.ok()?.status == 401).then_some(())
    })
    .await;
    assert_eq!(browser.sign_in("/sign-in").await?.status, 403);
    assert_eq!(codes(&app, remove, id).await?, json!([{ "code": "NOT_FOUND" }]));
    app.signed_in("member", "EDITOR").await?;
    Ok(())
}

#[tokio::test]
async fn the_last_administrator_stays() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let oneself = json!({ "id": format!("member:{}", app.member.id) });
    let remove = "mutation($id: ID!) { removeMember(input: { memberId: $id }) { userErrors { code } } }";
    let demote =
        "mutation($id: ID!) { changeMember(input: { memberId: $id, role: EDITOR }) { userErrors { code } } }";

    for mutation in [remove, demote] {
        assert_eq!(codes(&app, mutation, oneself.clone()).await?, json!([{ "code": "LAST_ADMIN" }]));
    }

    app.signed_in("member", "ADMIN").await?;
    assert_eq!(codes(&app, remove, oneself).await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn a_reach_that_contradicts_itself_is_refused() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let operation = app.onboard().await?;
    let tenant = &operation["tenant"]["id"];
    let member = member_of(&app.signed_in("member", "VIEWER").await?).await?;
    let nobodys = "tenant:01930000-0000-7000-8000-000000000000";

    for (role, reach, code) in [
        ("VIEWER", json!({ "extent": "LIMITED" }), "INVALID_REACH"),
        ("VIEWER", json!({ "extent": "EVERYTHING", "tenantIds": [tenant] }), "INVALID_REACH"),
        ("ADMIN", json!({ "extent": "LIMITED", "tenantIds": [tenant] }), "INVALID_REACH"),
        ("VIEWER", json!({ "extent": "LIMITED", "tenantIds": [nobodys] }), "NOT_FOUND"),
    ] {
        let refused = change(&app, json!({ "memberId": member, "role": role, "reach": reach })).await?;
        assert_eq!(refused["userErrors"], json!([{ "code": code }]), "{role} {reach}");
    }
    Ok(())
}

#[tokio::test]
async fn who_is_limited_sees_what_is_named_and_the_whole_tenant_its_future_too() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let operation = app.onboard().await?;
    let (tenant, steps) = (&operation["tenant"]["id"], &operation["steps"]["nodes"]);
    let one = &steps[0]["subscription"]["id"];
    let browser = app.signed_in("member", "VIEWER").await?;
    let member = member_of(&browser).await?;
    assert_eq!(subscriptions(&browser).await?.len(), 2);

    let reach = json!({ "extent": "LIMITED", "subscriptionIds": [one] });
    let changed = change(&app, json!({ "memberId": member, "reach": reach })).await?;

    assert_eq!(changed["member"]["reach"]["subscriptionIds"], json!([one]));
    eventually("the limit counts", async || {
        (subscriptions(&browser).await.ok()? == [one.as_str()?]).then_some(())
    })
    .await;
    let refused =
        browser.ask(&format!("{{ node(id: {}) {{ id }} }}", steps[1]["subscription"]["id"])).await?;
    assert_eq!(refused.json["data"], json!({ "node": null }));
    let whole = json!({ "extent": "LIMITED", "tenantIds": [tenant] });
    change(&app, json!({ "memberId": member, "reach": whole })).await?;
    eventually("the tenant counts", async || (subscriptions(&browser).await.ok()?.len() == 2).then_some(()))
        .await;
    Ok(())
}

#[tokio::test]
async fn who_is_limited_starts_no_consent_for_another_tenant() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let operation = app.onboard().await?;
    let reach = json!({ "extent": "LIMITED", "tenantIds": [operation["tenant"]["id"]] });
    let browser = app.signed_in("member", "EDITOR").await?;
    change(&app, json!({ "memberId": member_of(&browser).await?, "reach": reach })).await?;
    let start = |tenant: String| {
        format!("mutation {{ startConsent(input: {{ tenant: \"{tenant}\" }}) {{ userErrors {{ code }} }} }}")
    };
    let elsewhere = start(app.simulator.other_tenant_id().to_string());

    let refused = eventually("the limit counts", async || {
        let answered = browser.ask(&elsewhere).await.ok()?;
        let errors = answered.json["data"]["startConsent"]["userErrors"].clone();
        (errors != json!([])).then_some(errors)
    })
    .await;
    let own = browser.ask(&start(app.simulator.tenant_id().to_string())).await?;

    assert_eq!(refused, json!([{ "code": "OUTSIDE_REACH" }]));
    assert_eq!(own.json["data"]["startConsent"]["userErrors"], json!([]), "{own:?}");
    Ok(())
}

#[tokio::test]
async fn only_an_administrator_signs_somebody_else_out() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (one, other) =
        (app.signed_in("member", "EDITOR").await?, app.signed_in("colleague", "VIEWER").await?);
    let query = format!(
        "mutation {{ signOutEverywhere(input: {{ memberId: \"{}\" }}) {{ userErrors {{ code }} }} }}",
        member_of(&other).await?
    );

    let refused = one.ask(&query).await?;
    app.ask(&query, json!({})).await?;

    assert_eq!(refused.why(), ("FORBIDDEN", "INSUFFICIENT_ROLE"));
    eventually("the session has ended", async || {
        (other.ask("{ viewer { member { id } } }").await.ok()?.status == 401).then_some(())
    })
    .await;
    assert_eq!(one.who().await?.as_deref(), Some("Mona Member"));
    Ok(())
}
