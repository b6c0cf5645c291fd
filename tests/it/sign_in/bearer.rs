//! Front ends on other origins: the issuer's access token, in each request.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use serde_json::{Value, json};
use simulator::Fault;
use support::app::TestApp;
use support::eventually::eventually;
use support::single_page::{token, tokens};

const WHO: &str = "{ viewer { member { displayName } } }";
#[tokio::test]
async fn a_member_calls_with_the_issuers_access_token() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;

    let answered = app.answered(&token(&app, "member").await?, WHO).await?;

    assert_eq!(answered.json["data"]["viewer"]["member"]["displayName"], "Mona Member", "{answered:?}");
    Ok(())
}

#[tokio::test]
async fn who_is_no_member_is_told_so() -> Result<()> {
    let app = TestApp::small(1, 1).await?;

    let refused = app.answered(&token(&app, "colleague").await?, WHO).await?;

    assert_eq!((refused.status, refused.why()), (403, ("FORBIDDEN", "INSUFFICIENT_ROLE")));
    Ok(())
}

#[tokio::test]
async fn tokens_for_others_and_identity_tokens_are_not_recognized() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let scope = format!("openid api://{}/access", app.simulator.client_id());
    let identity_token = tokens(&app, "member", &scope).await?["id_token"].clone();
    let for_graph = tokens(&app, "member", "openid").await?["access_token"].clone();
    let of_another_cloud = token(&TestApp::small(1, 1).await?, "member").await?;

    for (what, presented) in [
        ("an identity token", identity_token.as_str().context("no id token")?),
        ("a token for Graph", for_graph.as_str().context("no token")?),
        ("a token of another issuer", &of_another_cloud),
    ] {
        let refused = app.answered(presented, WHO).await?;
        assert_eq!((refused.status, refused.why()), (401, ("UNAUTHENTICATED", "NOT_RECOGNIZED")), "{what}");
        assert!(refused.challenge.contains("invalid_token"), "{what}: {}", refused.challenge);
    }
    Ok(())
}

#[tokio::test]
async fn an_expired_token_and_a_cut_one_are_told_apart() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let token = token(&app, "member").await?;

    let cut = app.answered(&token[..token.len() - 20], WHO).await?;
    app.clock.advance(TimeDelta::hours(2));
    let expired = app.answered(&token, WHO).await?;

    assert_eq!((cut.status, cut.why().1), (401, "INCOMPLETE"));
    assert_eq!((expired.status, expired.why().1), (401, "EXPIRED"));
    Ok(())
}

#[tokio::test]
async fn the_issuer_may_change_its_keys_and_be_away_for_a_while() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let before = token(&app, "member").await?;
    assert_eq!(app.answered(&before, WHO).await?.status, 200);

    app.simulator.rotate_keys()?;
    let after = token(&app, "member").await?;
    assert_eq!(app.answered(&after, WHO).await?.status, 200, "a new key is looked for");
    app.simulator.faults().plan(Fault::on("GET", "/organizations/v2.0/.well-known/**").times(100));

    assert_eq!(app.answered(&after, WHO).await?.status, 200, "known keys are good while the issuer is away");
    Ok(())
}

#[tokio::test]
async fn signing_out_everywhere_counts_for_tokens_too() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    let token = token(&app, "member").await?;
    assert_eq!(app.answered(&token, WHO).await?.status, 200);

    browser.ask("mutation { signOutEverywhere(input: {}) { userErrors { code } } }").await?;

    let refused = eventually("the token is refused", async || {
        let answered = app.answered(&token, WHO).await.ok()?;
        (answered.status == 401).then_some(answered)
    })
    .await;
    assert_eq!(refused.why(), ("UNAUTHENTICATED", "REVOKED"));
    Ok(())
}

#[tokio::test]
async fn a_member_of_two_organizations_says_in_which_to_act() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let stranger = app.stranger().await?;
    let invite = "mutation { inviteMember(input: { displayName: \"Mona\", role: EDITOR }) { link } }";
    let invited = app.ask_as(&stranger, invite, json!({})).await?;
    let link = invited["data"]["inviteMember"]["link"].as_str().context("no link")?.to_owned();
    support::browser::Browser::of(&app, "member")?.sign_in(&link).await?;
    let theirs = app.ask_as(&stranger, "{ viewer { organization { id } } }", json!({})).await?;
    let theirs = theirs["data"]["viewer"]["organization"]["id"].as_str().context("no id")?.to_owned();
    let token = token(&app, "member").await?;

    let role = async |organization: Option<&str>| -> Result<Value> {
        let mut request = app.request(&token, "{ viewer { member { role } } }");
        if let Some(organization) = organization {
            request = request.header("tenantry-organization", organization);
        }
        Ok(request.send().await?.json().await?)
    };

    assert_eq!(role(None).await?["data"]["viewer"]["member"]["role"], "VIEWER", "the longest membership");
    assert_eq!(role(Some(&theirs)).await?["data"]["viewer"]["member"]["role"], "EDITOR");
    let nobodys = "organization:01930000-0000-7000-8000-000000000000";
    assert_eq!(role(Some(nobodys)).await?["errors"][0]["extensions"]["reason"], "INSUFFICIENT_ROLE");
    assert_eq!(role(Some("nonsense")).await?["errors"][0]["extensions"]["code"], "BAD_ID");
    Ok(())
}
