//! A session: what it takes to use it, and how it ends.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use entity::Owned;
use entity::session::{self, IDLE, KEPT, LIFETIME, OVERLAP, ROTATION};
use serde_json::json;
use support::app::TestApp;
use support::browser::{Answered, Browser};
use support::eventually::eventually;
use support::socket::Socket;
use uuid::Uuid;
use worker::queue::When;

const WHO: &str = "{ viewer { member { displayName } } }";

/// Waits until nobody is signed in any more: what was read of a session counts for half a second.
async fn ended(browser: &Browser) -> Answered {
    eventually("the session has ended", async || {
        let answered = browser.ask(WHO).await.ok()?;
        (answered.status == 401).then_some(answered)
    })
    .await
}

#[tokio::test]
async fn a_cookie_counts_only_in_requests_from_our_own_pages() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    let own = format!("http://{}", app.address());

    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("x-unrelated", "1"),
    ] {
        let refused = Answered::of(browser.post(WHO).header(name, value).send().await?).await?;
        assert_eq!((refused.status, refused.why().0), (403, "FORBIDDEN"), "{name}: {value}");
    }
    for (name, value) in [("origin", own.as_str()), ("sec-fetch-site", "same-origin")] {
        let answered = Answered::of(browser.post(WHO).header(name, value).send().await?).await?;
        assert_eq!(answered.status, 200, "{name}: {value}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cookie_that_names_no_session_is_taken_back() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    browser.person.take(
        &format!("http://{}", app.address()),
        &[(reqwest::header::SET_COOKIE, "tenantry-session=made-up; Path=/".parse()?)].into_iter().collect(),
    );

    let refused = browser.ask(WHO).await?;

    assert_eq!((refused.status, refused.why()), (401, ("UNAUTHENTICATED", "EXPIRED")));
    assert!(refused.challenge.contains("error=\"invalid_token\""), "{}", refused.challenge);
    assert!(!browser.has_session(), "the cookie stayed");
    Ok(())
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_the_latest_after_its_lifetime() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let idle = app.signed_in("member", "VIEWER").await?;
    let busy = app.signed_in("colleague", "VIEWER").await?;
    let begun = app.clock.now();

    while app.clock.now() < begun + LIFETIME - TimeDelta::hours(1) {
        app.clock.advance(TimeDelta::hours(1));
        eventually("the use is noted", async || busy.who().await.ok().flatten()).await;
        if app.clock.now() == begun + IDLE {
            assert_eq!(idle.ask(WHO).await?.status, 401);
        }
    }
    app.clock.advance(TimeDelta::hours(1));

    assert_eq!(busy.ask(WHO).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_session_that_ran_out_is_forgotten_after_a_while_and_no_other_is() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    app.signed_in("member", "VIEWER").await?;
    let [old] = ids(&app).await?[..] else { panic!("one session") };
    app.clock.advance(LIFETIME + KEPT + TimeDelta::seconds(1));
    app.signed_in("colleague", "VIEWER").await?;
    assert_eq!(ids(&app).await?.len(), 2);

    app.context.queue.push(&worker::jobs::Sweep {}, When::default()).await?;
    app.run_jobs().await?;

    let left = ids(&app).await?;
    assert!(left.len() == 1 && left[0] != old, "{old} is not the one that went: {left:?}");
    Ok(())
}

/// The sessions that are kept.
async fn ids(app: &TestApp) -> Result<Vec<Uuid>> {
    let kept = session::Entity::owned_by(app.member.organization_id).all(&app.database).await?;
    Ok(kept.into_iter().map(|session| session.id).collect())
}

#[tokio::test]
async fn signing_out_ends_this_session_and_no_other() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let here = app.signed_in("member", "VIEWER").await?;
    let there = Browser::of(&app, "member")?;
    there.sign_in("/sign-in").await?;
    let cookie = here.cookie();

    let status = here.sign_out().await?;

    assert_eq!(status, 204);
    assert!(!here.has_session());
    eventually("the cookie is refused", async || {
        (here.ask_with(&cookie, WHO).await.ok()?.status == 401).then_some(())
    })
    .await;
    assert_eq!(there.ask(WHO).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn nobody_is_signed_out_by_another_site() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    let url = format!("http://{}/sign-out", app.address());

    let request = support::http::client()?.post(url).header("cookie", browser.cookie());
    let refused = request.header("origin", "https://evil.example").send().await?;

    assert_eq!(refused.status(), 403);
    assert_eq!(browser.ask(WHO).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_of_the_member_and_nobody_elses() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let here = app.signed_in("member", "VIEWER").await?;
    let there = Browser::of(&app, "member")?;
    there.sign_in("/sign-in").await?;
    let other = app.signed_in("colleague", "VIEWER").await?;

    here.ask("mutation { signOutEverywhere(input: {}) { userErrors { code } } }").await?;

    for browser in [&here, &there] {
        assert_eq!(ended(browser).await.why(), ("UNAUTHENTICATED", "EXPIRED"));
    }
    assert_eq!(other.ask(WHO).await?.status, 200);
    app.clock.advance(TimeDelta::seconds(1));
    here.sign_in("/sign-in").await?;
    assert_eq!(here.ask(WHO).await?.status, 200, "a new sign-in counts");
    Ok(())
}

#[tokio::test]
async fn the_cookie_is_replaced_while_it_is_used_and_the_former_one_counts_a_moment_longer() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    let former = browser.cookie();
    app.clock.advance(ROTATION);

    browser.ask(WHO).await?;

    assert_ne!(browser.cookie(), former, "the cookie stayed");
    assert_eq!(browser.ask_with(&former, WHO).await?.status, 200, "a request that was under way");
    assert_eq!(browser.ask(WHO).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_replaced_cookie_that_turns_up_long_after_ends_the_session() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "VIEWER").await?;
    let former = browser.cookie();
    app.clock.advance(ROTATION);
    browser.ask(WHO).await?;
    app.clock.advance(OVERLAP);

    eventually("the copied cookie is refused", async || {
        (browser.ask_with(&former, WHO).await.ok()?.status == 401).then_some(())
    })
    .await;

    assert_eq!(ended(&browser).await.why(), ("UNAUTHENTICATED", "EXPIRED"));
    Ok(())
}

#[tokio::test]
async fn a_live_query_ends_with_its_session() -> Result<()> {
    let app = TestApp::small(2, 10).await?;
    let browser = app.signed_in("member", "EDITOR").await?;
    let own = format!("http://{}", app.address());
    let cookie = browser.cookie();
    let mut socket = Socket::open(&app, &[("cookie", &cookie), ("origin", &own)]).await?;
    socket.init(json!({})).await?;
    socket.subscribe(&app.waiting_operation().await?).await?;
    socket.hear().await?;

    browser.ask("mutation { signOutEverywhere(input: {}) { userErrors { code } } }").await?;

    let (code, reason) = socket.closed().await?;
    assert_eq!(code, 4403);
    assert!(reason.contains("EXPIRED"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn a_socket_of_another_site_does_not_get_the_session() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let browser = app.signed_in("member", "EDITOR").await?;
    let cookie = browser.cookie();

    let opened = Socket::open(&app, &[("cookie", &cookie), ("origin", "https://evil.example")]).await;

    let error = opened.err().context("it was opened")?.to_string();
    assert!(error.contains("403"), "{error}");
    Ok(())
}
