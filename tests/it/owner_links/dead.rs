//! Owner links that are not good any more.

use anyhow::{Result, bail};
use chrono::TimeDelta;
use entity::member;
use sea_orm::{ActiveModelTrait, Set, Unchanged};
use serde_json::json;
use simulator::{Decision, Opened, Person};

use super::{Known, consent, press};

const REVOKE: &str = "mutation($id: ID!) { revokeOwnerLink(input: { ownerLinkId: $id }) {
    ownerLink { state revokedAt } userErrors { code } } }";

/// What the link shows: the page's status and code. Its button, from a page that was open before, starts nothing.
async fn shown(
    known: &Known,
    person: &Person,
    link: &str,
    before: &simulator::Answer,
) -> Result<(u16, String)> {
    let consents = known.consents().await?;
    let page = person.sign_in(link).await?;
    let Opened::Stayed(pressed) = person.press(before).await? else { bail!("a dead link started a consent") };
    assert_eq!((pressed.status, &pressed.body), (page.status, &page.body));
    assert_eq!(known.consents().await?, consents);
    let code = page.body.split("class=\"code\">").nth(1).and_then(|rest| rest.split('<').next());
    Ok((page.status, code.unwrap_or_default().to_owned()))
}

#[tokio::test]
async fn an_unknown_or_cut_link_is_a_page_that_says_so() -> Result<()> {
    let known = Known::tenant().await?;
    let (_, link) = known.link(&known.ids[..1]).await?;
    let person = Person::new("guest");
    let bare = format!("http://{}/owner-link", known.app.address());

    for link in [&link[..link.len() - 1], &format!("{link}x"), &bare, &format!("{bare}?token=")] {
        let page = person.sign_in(link).await?;
        assert_eq!(page.status, 404, "{link}");
        assert!(page.body.contains("OWNER_LINK_UNKNOWN"), "{}", page.body);
    }
    Ok(())
}

#[tokio::test]
async fn a_used_link_starts_nothing_more() -> Result<()> {
    let known = Known::tenant().await?;
    let (id, link) = known.link(&known.ids[..1]).await?;
    let person = Person::new("guest");
    let page = person.sign_in(&link).await?;
    consent(&person, &link, Decision::Accept).await?;

    assert_eq!(shown(&known, &person, &link, &page).await?, (410, "OWNER_LINK_USED".to_owned()));

    let data = known.app.ask(REVOKE, json!({ "id": id })).await?;
    assert_eq!(data["revokeOwnerLink"]["userErrors"][0]["code"], "NOT_OPEN");
    Ok(())
}

#[tokio::test]
async fn an_expired_link_starts_nothing_and_what_it_started_goes_on() -> Result<()> {
    let known = Known::tenant().await?;
    let (id, link) = known.link(&known.ids[..1]).await?;
    let person = Person::new("guest");
    let page = person.sign_in(&link).await?;
    known.app.clock.advance(TimeDelta::days(7) - TimeDelta::minutes(5));
    let started = press(&person, &link).await?;
    known.app.clock.advance(TimeDelta::minutes(5));

    assert_eq!(shown(&known, &person, &link, &page).await?, (410, "OWNER_LINK_EXPIRED".to_owned()));

    assert_eq!(known.state(&id).await?["state"], "EXPIRED");
    let granted = person.consent(&started, Decision::Accept).await?;
    assert_eq!(granted.status, 200, "{}", granted.body);
    Ok(())
}

#[tokio::test]
async fn a_revoked_link_starts_nothing_and_what_it_started_is_not_granted() -> Result<()> {
    let known = Known::tenant().await?;
    let (id, link) = known.link(&known.ids[..1]).await?;
    let person = Person::new("guest");
    let page = person.sign_in(&link).await?;
    let started = press(&person, &link).await?;
    let Opened::Passed { to: authorize, cookie } = person.open(&started).await? else {
        bail!("it led nowhere")
    };
    let Opened::Passed { to: back, .. } = person.decide(&authorize, Decision::Accept).await? else {
        bail!("Microsoft sent nobody back");
    };

    let revoked = known.app.ask(REVOKE, json!({ "id": id })).await?;
    let again = known.app.ask(REVOKE, json!({ "id": id })).await?;

    assert_eq!(revoked["revokeOwnerLink"]["ownerLink"]["state"], "REVOKED");
    assert_eq!(again, revoked);
    assert_eq!(shown(&known, &person, &link, &page).await?, (410, "OWNER_LINK_REVOKED".to_owned()));
    let late = person.follow(&back, cookie.as_deref()).await?;
    assert_eq!(late.status, 410, "{}", late.body);
    assert_eq!(known.state(&id).await?["consent"]["state"], "PENDING");
    assert_eq!(known.app.simulator.calls().iter().filter(|call| call.method == "PUT").count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_link_starts_ten_consents_at_most() -> Result<()> {
    let known = Known::tenant().await?;
    let (id, link) = known.link(&known.ids[..1]).await?;
    let person = Person::new("guest");
    let page = person.sign_in(&link).await?;
    for _ in 0..10 {
        press(&person, &link).await?;
    }

    assert_eq!(shown(&known, &person, &link, &page).await?, (410, "OWNER_LINK_EXHAUSTED".to_owned()));

    assert_eq!(known.state(&id).await?["state"], "EXHAUSTED");
    Ok(())
}

#[tokio::test]
async fn a_link_dies_with_its_creators_right_to_ask() -> Result<()> {
    let known = Known::tenant().await?;
    let (_, link) = known.link(&known.ids[..1]).await?;
    let person = Person::new("guest");
    let page = person.sign_in(&link).await?;
    let id = Unchanged(known.app.member.id);
    let now = known.app.clock.now();
    let became = |role, removed_at| member::ActiveModel {
        id: id.clone(),
        role: Set(role),
        removed_at: Set(removed_at),
        ..Default::default()
    };
    let withdrawn = (410, "OWNER_LINK_WITHDRAWN".to_owned());
    // The member asks for the number of consents, so what it became is undone before the next question.
    for (role, removed_at) in [(member::Role::Viewer, None), (member::Role::Admin, Some(now))] {
        became(role, removed_at).update(&known.app.database).await?;
        let shown = person.sign_in(&link).await?;
        let Opened::Stayed(pressed) = person.press(&page).await? else { bail!("a dead link led on") };
        assert_eq!((shown.status, pressed.status), (withdrawn.0, withdrawn.0));
        assert!(shown.body.contains(&withdrawn.1) && pressed.body == shown.body, "{}", shown.body);
    }

    became(member::Role::Editor, None).update(&known.app.database).await?;
    let granted = consent(&person, &link, Decision::Accept).await?;
    assert_eq!(granted.status, 200, "{}", granted.body);
    Ok(())
}

#[tokio::test]
async fn a_link_dies_with_the_access_token_that_created_it() -> Result<()> {
    let known = Known::tenant().await?;
    let secret = crate::audit::access_token(&known.app, &["CONSENTS_WRITE", "CONSENTS_READ"], None).await?;
    let query = format!(
        "mutation {{ createOwnerLink(input: {{ subscriptionIds: [\"{}\"] }}) {{ link userErrors {{ code }} }} }}",
        known.ids[0]
    );
    let created = known.app.answered(&secret, &query).await?;
    let link = created.json["data"]["createOwnerLink"]["link"].as_str().unwrap_or_default().to_owned();
    let person = Person::new("guest");
    let page = person.sign_in(&link).await?;
    assert_eq!(page.status, 200, "{} {}", created.json, page.body);

    let token = known.app.database_token().await?;
    let revoke =
        "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) { userErrors { code } } }";
    known.app.ask(revoke, json!({ "id": format!("access-token:{}", token.id) })).await?;

    assert_eq!(shown(&known, &person, &link, &page).await?, (410, "OWNER_LINK_WITHDRAWN".to_owned()));
    Ok(())
}
