//! Access tokens: what a partner integration may do with one, and why one is refused.

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use serde_json::{Value, json};
use support::app::TestApp;
use support::browser::Answered;
use support::eventually::eventually;
use support::socket::Socket;

const TENANTS: &str = "{ tenants { nodes { id } } }";

/// An access token that the administrator creates: its id and its secret.
async fn create(app: &TestApp, scopes: Value, input: Value) -> Result<(String, String)> {
    let created = creation(app, scopes, input).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    text(&created["accessToken"]["id"])
        .zip(text(&created["secret"]))
        .with_context(|| format!("nothing was created: {created}"))
}

async fn creation(app: &TestApp, scopes: Value, more: Value) -> Result<Value> {
    let query = "mutation($input: CreateAccessTokenInput!) { createAccessToken(input: $input) {
                   accessToken { id hint state } secret userErrors { code field } } }";
    let expires_at = app.clock.now() + TimeDelta::days(90);
    let mut input = json!({ "name": "partner", "scopes": scopes, "expiresAt": expires_at });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    Ok(app.ask(query, json!({ "input": input })).await?["createAccessToken"].take())
}

/// Waits until a token is refused: what was read of it counts for half a second.
async fn refused(app: &TestApp, token: &str) -> Answered {
    eventually("the token is refused", async || {
        let answered = app.answered(token, TENANTS).await.ok()?;
        (answered.status == 401).then_some(answered)
    })
    .await
}

#[tokio::test]
async fn input_that_makes_no_sense_is_refused_with_the_field() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let now = app.clock.now();
    let scopes = json!(["INVENTORY_READ"]);
    let nobodys = "tenant:01930000-0000-7000-8000-000000000000";

    for (scopes, input, code, field) in [
        (&scopes, json!({ "name": "  " }), "INVALID_NAME", "name"),
        (&scopes, json!({ "name": "x".repeat(101) }), "INVALID_NAME", "name"),
        (&json!([]), json!({}), "NO_SCOPES", "scopes"),
        (&scopes, json!({ "expiresAt": now }), "INVALID_EXPIRY", "expiresAt"),
        (&scopes, json!({ "expiresAt": now + TimeDelta::days(366) }), "INVALID_EXPIRY", "expiresAt"),
        (&scopes, json!({ "tenants": [nobodys] }), "NOT_FOUND", "tenants"),
    ] {
        let refused = creation(&app, scopes.clone(), input.clone()).await?;
        assert_eq!(refused["userErrors"], json!([{ "code": code, "field": [field] }]), "{input}");
        assert_eq!((&refused["accessToken"], &refused["secret"]), (&Value::Null, &Value::Null));
    }
    Ok(())
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_nothing_else() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    app.onboard().await?;
    let (_, secret) = create(&app, json!(["INVENTORY_READ"]), json!({})).await?;

    let reads = app.answered(&secret, TENANTS).await?;
    let scans =
        "mutation { scanTenant(input: { tenantId: \"tenant:01930000-0000-7000-8000-000000000000\" }) {
                   userErrors { code } } }";
    let scans = app.answered(&secret, scans).await?;
    let members = app.answered(&secret, "{ members { nodes { id } } }").await?;
    let admin = app.answered(&secret, "{ accessTokens { nodes { id } } }").await?;
    let partly = app.answered(&secret, "{ tenants { nodes { id } } operations { nodes { id } } }").await?;

    assert_eq!(reads.json["data"]["tenants"]["nodes"].as_array().map(Vec::len), Some(1), "{reads:?}");
    for (answered, scope) in [(&scans, "inventory:scan"), (&members, "members:read")] {
        assert_eq!((answered.status, answered.why()), (403, ("FORBIDDEN", "INSUFFICIENT_SCOPE")));
        assert_eq!(answered.json["errors"][0]["extensions"]["scope"], scope);
        let challenge = format!("scope=\"{scope}\"");
        assert!(answered.challenge.contains("error=\"insufficient_scope\""), "{}", answered.challenge);
        assert!(answered.challenge.contains(&challenge), "{}", answered.challenge);
    }
    assert_eq!((admin.status, admin.why().1), (403, "INSUFFICIENT_SCOPE"));
    assert_eq!(partly.why().1, "INSUFFICIENT_SCOPE");
    Ok(())
}

#[tokio::test]
async fn a_token_knows_itself_and_its_use_is_remembered() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (id, secret) = create(&app, json!(["REPORTS_READ"]), json!({})).await?;

    let query = "{ viewer { member { id } accessToken { id name hint state scopes expiresAt } } }";
    let answered = app.answered(&secret, query).await?;
    let listed = app.ask("{ accessTokens { nodes { id lastUsedAt lastUsedAddress } } }", json!({})).await?;

    let viewer = &answered.json["data"]["viewer"];
    assert_eq!((&viewer["member"], &viewer["accessToken"]["id"]), (&Value::Null, &json!(id)), "{answered:?}");
    assert_eq!(viewer["accessToken"]["hint"], format!("tnt_…{}", &secret[secret.len() - 4..]));
    assert!(!answered.json.to_string().contains(&secret[4..20]));
    let token = &listed["accessTokens"]["nodes"][0];
    assert_eq!(token["lastUsedAddress"], "127.0.0.1", "{listed}");
    assert!(token["lastUsedAt"].is_string(), "{listed}");
    Ok(())
}

#[tokio::test]
async fn each_refusal_says_why() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (id, secret) = create(&app, json!(["INVENTORY_READ"]), json!({})).await?;
    let last = if secret.ends_with('0') { "1" } else { "0" };
    let mistyped = format!("{}{last}", &secret[..secret.len() - 1]);

    for incomplete in [&secret[..30], &mistyped, "tnt_", &secret.to_lowercase()] {
        let answered = app.answered(incomplete, TENANTS).await?;
        assert_eq!((answered.status, answered.why()), (401, ("UNAUTHENTICATED", "INCOMPLETE")));
        let message = answered.json["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(message.contains("Copy it again, in full"), "{message}");
        assert!(answered.challenge.starts_with("Bearer error=\"invalid_token\""), "{}", answered.challenge);
    }
    let unknown = entity::access_token::AccessTokenSecret::random();
    let unknown = app.answered(secrecy::ExposeSecret::expose_secret(&unknown), TENANTS).await?;
    assert_eq!((unknown.status, unknown.why().1), (401, "NOT_RECOGNIZED"));
    let revoke = "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) {
                    accessToken { state } userErrors { code } } }";
    let revoked = app.ask(revoke, json!({ "id": id })).await?;
    assert_eq!(revoked["revokeAccessToken"]["accessToken"]["state"], "REVOKED");
    assert_eq!(refused(&app, &secret).await.why(), ("UNAUTHENTICATED", "REVOKED"));
    let (_, other) = create(&app, json!(["INVENTORY_READ"]), json!({})).await?;
    app.clock.advance(TimeDelta::days(90));
    assert_eq!(app.answered(&other, TENANTS).await?.why(), ("UNAUTHENTICATED", "EXPIRED"));
    Ok(())
}

#[tokio::test]
async fn a_token_warns_before_it_expires() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    create(&app, json!(["INVENTORY_READ"]), json!({})).await?;
    let mut states = Vec::new();

    for days in [0, 75, 1, 14] {
        app.clock.advance(TimeDelta::days(days));
        let token = app.database_token().await?;
        states.push(format!("{:?}", token.state(app.clock.now())));
    }

    assert_eq!(states, ["Active", "Active", "ExpiresSoon", "Expired"]);
    Ok(())
}

#[tokio::test]
async fn a_rotated_token_and_its_successor_are_both_good_for_the_overlap() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    let operation = app.onboard().await?;
    let limits = json!({ "tenants": [operation["tenant"]["id"]] });
    let (id, former) = create(&app, json!(["INVENTORY_READ"]), limits).await?;
    let query = "mutation($id: ID!) { rotateAccessToken(input: { accessTokenId: $id, overlapHours: 2 }) {
                   secret accessToken { replaces reach { tenantIds } scopes } userErrors { code } } }";

    let rotated = app.ask(query, json!({ "id": id })).await?["rotateAccessToken"].take();

    let successor = rotated["secret"].as_str().context("no secret")?.to_owned();
    assert_eq!(rotated["accessToken"]["replaces"], json!(id));
    assert_eq!(rotated["accessToken"]["reach"]["tenantIds"], json!([operation["tenant"]["id"]]));
    for secret in [&former, &successor] {
        assert_eq!(app.answered(secret, TENANTS).await?.status, 200);
    }
    app.clock.advance(TimeDelta::hours(2));
    assert_eq!(refused(&app, &former).await.why().1, "EXPIRED");
    assert_eq!(app.answered(&successor, TENANTS).await?.status, 200);
    let again = app.ask(query, json!({ "id": id })).await?;
    assert_eq!(again["rotateAccessToken"]["userErrors"], json!([{ "code": "NOT_ACTIVE" }]));
    Ok(())
}

#[tokio::test]
async fn a_limited_token_sees_its_tenants_only() -> Result<()> {
    let app = TestApp::small(1, 5).await?;
    let operation = app.onboard().await?;
    let limits = json!({ "tenants": [operation["tenant"]["id"]] });
    let (_, limited) = create(&app, json!(["INVENTORY_READ"]), limits).await?;

    let seen = app.answered(&limited, "{ tenants { totalCount } resources { totalCount } }").await?;

    assert_eq!(
        seen.json["data"],
        json!({ "tenants": { "totalCount": 1 }, "resources": { "totalCount": 5 } })
    );
    Ok(())
}

#[tokio::test]
async fn events_are_refused_by_status_and_end_with_the_reason() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (id, secret) = create(&app, json!(["OPERATIONS_READ"]), json!({})).await?;
    let live = app.waiting_operation().await?;
    let events = |token: &str| app.request(token, &live).header("accept", "text/event-stream").send();

    let refused = Answered::of(events("tnt_cut").await?).await?;
    assert_eq!((refused.status, refused.why()), (401, ("UNAUTHENTICATED", "INCOMPLETE")));
    assert!(refused.challenge.contains("invalid_token"), "{}", refused.challenge);

    let response = events(&secret).await?;
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let revoke =
        "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) { userErrors { code } } }";
    app.ask(revoke, json!({ "id": id })).await?;
    let told = response.text().await?;
    let parts: Vec<_> = told.split("\n\n").filter(|part| !part.is_empty() && *part != ":").collect();
    assert!(
        parts[0].starts_with("event: next\ndata: {\"data\":{\"operation\":{\"state\":\"QUEUED\"}}}"),
        "{told}"
    );
    assert!(parts[1].contains("\"reason\":\"REVOKED\""), "{told}");
    assert_eq!(parts[2..], ["event: complete\ndata:"], "{told}");
    Ok(())
}

#[tokio::test]
async fn a_socket_is_refused_and_closed_with_the_reason() -> Result<()> {
    let app = TestApp::small(1, 1).await?;
    let (id, secret) = create(&app, json!(["OPERATIONS_READ"]), json!({})).await?;
    let live = app.waiting_operation().await?;
    let authorization = format!("Bearer {secret}");

    let at_the_door = Socket::open(&app, &[("authorization", "Bearer tnt_cut")]).await;
    assert!(at_the_door.err().context("it was opened")?.to_string().contains("401"));
    let mut cut = Socket::open(&app, &[]).await?;
    cut.say(json!({ "type": "connection_init", "payload": { "authorization": "Bearer tnt_cut" } })).await?;
    let (code, reason) = cut.closed().await?;
    assert!(code == 4403 && reason.contains("INCOMPLETE"), "{code} {reason}");

    let mut socket = Socket::open(&app, &[]).await?;
    socket.init(json!({ "Authorization": authorization })).await?;
    socket.subscribe(&live).await?;
    assert_eq!(socket.hear().await?["payload"]["data"]["operation"]["state"], "QUEUED");
    let revoke =
        "mutation($id: ID!) { revokeAccessToken(input: { accessTokenId: $id }) { userErrors { code } } }";
    app.ask(revoke, json!({ "id": id })).await?;
    let (code, reason) = socket.closed().await?;
    assert!(code == 4403 && reason.contains("REVOKED"), "{code} {reason}");
    Ok(())
}
