//! How members sign in with a browser on our own origin.

mod bearer;
mod members;
mod session;

use anyhow::{Context as _, Result, bail};
use chrono::TimeDelta;
use serde_json::json;
use simulator::{Decision, Fault, Opened, Person};
use support::app::TestApp;
use support::browser::Browser;

/// Follows a link of ours up to the issuer's answer: where it leads back, and the browser's cookie.
async fn up_to_the_callback(user: &str, link: &str) -> Result<(String, String)> {
    let person = Person::new(user);
    let Opened::Passed { to: authorize, cookie: Some(cookie) } = person.open(link).await? else {
        bail!("the link led nowhere");
    };
    let Opened::Passed { to: back, .. } = person.decide(&authorize, Decision::Accept).await? else {
        bail!("the issuer sent nobody back");
    };
    Ok((back, cookie))
}

fn sign_in_link(app: &TestApp) -> String {
    format!("http://{}/sign-in", app.address())
}

#[tokio::test]
async fn who_was_not_invited_is_told_so_and_gets_no_session() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = Browser::of(&app, "member")?;

    let page = browser.sign_in("/sign-in").await?;

    assert_eq!(page.status, 403);
    assert!(page.body.contains("NOT_A_MEMBER") && page.body.contains("invitation"), "{}", page.body);
    assert!(!browser.has_session());
    Ok(())
}

#[tokio::test]
async fn an_invited_person_becomes_the_member_that_the_invitation_says() -> Result<()> {
    let app = TestApp::small(1, 1).await?;

    let browser = app.signed_in("member", "EDITOR").await?;

    let answered = browser.ask("{ viewer { organization { id } member { displayName role } } }").await?;
    let viewer = &answered.json["data"]["viewer"];
    assert_eq!(viewer["member"], json!({ "displayName": "Mona Member", "role": "EDITOR" }));
    assert_eq!(viewer["organization"]["id"], format!("organization:{}", app.member.organization_id));
    Ok(())
}

#[tokio::test]
async fn a_member_signs_in_again_without_an_invitation() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let another = Browser::of(&app, "member")?;

    let page = another.sign_in("/sign-in").await?;

    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(another.who().await?.as_deref(), Some("Mona Member"));
    Ok(())
}

#[tokio::test]
async fn nobody_accepts_an_invitation_unseen() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let person = Person::new("member");
    let ask = async |link: &str| -> Result<String> {
        let Opened::Passed { to, .. } = person.open(link).await? else { bail!("the link led nowhere") };
        Ok(to)
    };

    let invited = ask(&app.invite("VIEWER").await?).await?;
    let member = ask(&sign_in_link(&app)).await?;

    assert!(invited.contains("prompt=select_account"), "the issuer would let a signed-in browser pass");
    assert!(!member.contains("prompt="), "{member}");
    Ok(())
}

#[tokio::test]
async fn an_invitation_is_good_for_one_person() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let link = app.invite("VIEWER").await?;
    let (first, second) = (Browser::of(&app, "member")?, Browser::of(&app, "colleague")?);
    first.sign_in(&link).await?;

    let page = second.sign_in(&link).await?;

    assert_eq!(page.status, 410);
    assert!(page.body.contains("INVITATION_GONE"), "{}", page.body);
    assert!(first.has_session() && !second.has_session());
    Ok(())
}

#[tokio::test]
async fn an_invitation_that_expired_or_was_taken_back_is_good_for_nobody() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let taken_back = app.invite("VIEWER").await?;
    let data = app.ask("{ invitations { nodes { id state } } }", json!({})).await?;
    let query = "mutation($id: ID!) { revokeInvitation(input: { invitationId: $id }) {
                   invitation { state } userErrors { code } } }";
    let id = json!({ "id": data["invitations"]["nodes"][0]["id"] });
    let revoked = app.ask(query, id.clone()).await?;
    assert_eq!(revoked["revokeInvitation"]["invitation"]["state"], "REVOKED");
    let again = app.ask(query, id).await?;
    assert_eq!(again["revokeInvitation"]["userErrors"], json!([{ "code": "NOT_OPEN" }]));
    let expired = app.invite("VIEWER").await?;
    app.clock.advance(entity::invitation::LIFETIME);

    for link in [taken_back, expired] {
        let browser = Browser::of(&app, "member")?;
        let page = browser.sign_in(&link).await?;
        assert_eq!(page.status, 410, "{}", page.body);
        assert!(!browser.has_session());
    }
    Ok(())
}

#[tokio::test]
async fn a_sign_in_is_accepted_by_its_own_browser_only() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let (back, _) = up_to_the_callback("member", &sign_in_link(&app)).await?;
    let (_, others_cookie) = up_to_the_callback("colleague", &sign_in_link(&app)).await?;

    for cookie in [None, Some(others_cookie.as_str()), Some("tenantry-sign-in=made-up")] {
        let page = Person::new("member").follow(&back, cookie).await?;
        assert_eq!(page.status, 403, "{cookie:?}");
        assert!(page.body.contains("WRONG_BROWSER"), "{}", page.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_code_is_taken_once() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let (back, cookie) = up_to_the_callback("member", &sign_in_link(&app)).await?;
    let person = Person::new("member");

    let first = person.follow(&back, Some(&cookie)).await?;
    let second = person.follow(&back, Some(&cookie)).await?;

    assert_eq!((first.status, second.status), (200, 400), "{}", second.body);
    Ok(())
}

#[tokio::test]
async fn a_sign_in_that_takes_too_long_is_not_accepted() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let (back, cookie) = up_to_the_callback("member", &sign_in_link(&app)).await?;
    app.clock.advance(TimeDelta::minutes(10));

    let page = Person::new("member").follow(&back, Some(&cookie)).await?;

    assert_eq!(page.status, 410);
    assert!(page.body.contains("SIGN_IN_EXPIRED"), "{}", page.body);
    Ok(())
}

#[tokio::test]
async fn who_backs_out_is_told_that_nothing_changed() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let person = Person::new("member");
    let Opened::Passed { to, cookie } = person.open(&sign_in_link(&app)).await? else { bail!("led nowhere") };
    let Opened::Passed { to: back, .. } = person.decide(&to, Decision::Cancel).await? else {
        bail!("stayed")
    };

    let page = person.follow(&back, cookie.as_deref()).await?;

    assert_eq!(page.status, 400);
    assert!(page.body.contains("SIGN_IN_NOT_FINISHED"), "{}", page.body);
    Ok(())
}

#[tokio::test]
async fn nobody_is_led_to_another_site_afterwards() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;

    let ours = Browser::of(&app, "member")?.sign_in("/sign-in?return_to=/healthz").await?;
    let elsewhere = Browser::of(&app, "member")?.sign_in("/sign-in?return_to=//evil.example/").await?;

    assert!(ours.url.path() == "/healthz", "{}", ours.url);
    assert_eq!((elsewhere.status, elsewhere.url.path()), (200, "/sign-in/callback"));
    Ok(())
}

#[tokio::test]
async fn a_member_of_two_organizations_chooses() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let theirs = app.stranger().await?;
    let query = "mutation { inviteMember(input: { displayName: \"Mona\", role: EDITOR }) { link } }";
    let invited = app.ask_as(&theirs, query, json!({})).await?;
    let link = invited["data"]["inviteMember"]["link"].as_str().context("no link")?.to_owned();
    Browser::of(&app, "member")?.sign_in(&link).await?;
    let browser = Browser::of(&app, "member")?;

    let page = browser.sign_in("/sign-in").await?;
    let choice = format!(
        "organization={}",
        format!("organization:{}", app.member.organization_id).replace(':', "%3A")
    );
    let chosen = browser.sign_in(&format!("/sign-in?{choice}")).await?;

    assert_eq!(page.status, 200);
    assert!(page.body.contains("SEVERAL_ORGANIZATIONS") && page.body.contains(&choice), "{}", page.body);
    assert_eq!(chosen.status, 200, "{}", chosen.body);
    let answered = browser.ask("{ viewer { member { role } } }").await?;
    assert_eq!(answered.json["data"]["viewer"]["member"]["role"], "VIEWER");
    Ok(())
}

#[tokio::test]
async fn an_organization_that_is_none_is_not_passed_over() -> Result<()> {
    let app = TestApp::small(1, 1).await?;

    let page = Browser::of(&app, "member")?.sign_in("/sign-in?organization=contoso").await?;

    assert_eq!(page.status, 400);
    assert!(page.body.contains("BAD_ID"), "{}", page.body);
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_said_to_be_the_cause() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let discovery = Fault::on("GET", "/organizations/v2.0/.well-known/openid-configuration");
    app.simulator.faults().plan(discovery.times(10));

    let page = Browser::of(&app, "member")?.sign_in("/sign-in").await?;

    assert_eq!(page.status, 503);
    assert!(page.body.contains("ISSUER_UNAVAILABLE") && page.body.contains("Trace id"), "{}", page.body);
    Ok(())
}
