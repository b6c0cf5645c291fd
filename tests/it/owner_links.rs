//! Owner links: an owner who has no account here starts the one consent that is asked for, and nothing else.

mod dead;

use anyhow::{Context as _, Result, bail};
use entity::audit_event::Action;
use secrecy::SecretString;
use serde_json::{Value, json};
use simulator::{Answer, Decision, Opened, Person};
use support::app::{TestApp, outcomes};

use crate::audit::{actions, events_of};

const CREATE: &str = "mutation($ids: [ID!]!, $days: Int! = 7, $note: String! = \"\") {
    createOwnerLink(input: { subscriptionIds: $ids, expiresIn: $days, note: $note }) {
      ownerLink { id state hint note } link userErrors { code field } } }";

/// A tenant of which nothing is granted yet, and all is known.
struct Known {
    app: TestApp,
    /// The subscriptions in their order of Azure: the guest owns only the first.
    ids: Vec<String>,
}

impl Known {
    async fn tenant() -> Result<Self> {
        let app = TestApp::small(3, 30).await?;
        app.onboard_as("reader").await?;
        let query = "{ subscriptions { nodes { id azureSubscriptionId } } }";
        let data = app.ask(query, json!({})).await?;
        let nodes = data["subscriptions"]["nodes"].as_array().context("no subscriptions")?;
        let id_of = |azure_id: String| {
            let found = nodes.iter().find(|node| node["azureSubscriptionId"] == azure_id);
            found.and_then(|node| node["id"].as_str()).map(str::to_owned)
        };
        let ids = app.simulator.subscriptions().into_iter().filter_map(|one| id_of(one.id.to_string()));
        Ok(Self { ids: ids.collect(), app })
    }

    async fn payload(&self, variables: Value) -> Result<Value> {
        Ok(self.app.ask(CREATE, variables).await?["createOwnerLink"].take())
    }

    /// A link for these: its id, and what is sent to the owner.
    async fn link(&self, ids: &[String]) -> Result<(String, String)> {
        let created = self.payload(json!({ "ids": ids })).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        text(&created["ownerLink"]["id"]).zip(text(&created["link"])).with_context(|| created.to_string())
    }

    /// How the link stands.
    async fn state(&self, id: &str) -> Result<Value> {
        let query = "query($id: ID!) { node(id: $id) { ... on OwnerLink { state consentsStarted usedAt
            consent { id state failure { code } work { kind subscriptions { id } } ownerLink { id }
              operation { id } } } } }";
        Ok(self.app.ask(query, json!({ "id": id })).await?["node"].take())
    }

    async fn consents(&self) -> Result<u64> {
        let data = self.app.ask("{ consents { totalCount } }", json!({})).await?;
        data["consents"]["totalCount"].as_u64().context("no count")
    }

    /// What can be read, by subscription.
    async fn readable(&self) -> Result<Vec<bool>> {
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on AzureSubscription { accessLevel } } }";
        let data = self.app.ask(query, json!({ "ids": self.ids })).await?;
        let nodes = data["nodes"].as_array().context("no subscriptions")?;
        Ok(nodes.iter().map(|node| node["accessLevel"] != "NONE").collect())
    }
}

/// The person opens the link and presses the button; answers where that leads.
async fn press(person: &Person, link: &str) -> Result<String> {
    let page = person.sign_in(link).await?;
    assert_eq!(page.status, 200, "{}", page.body);
    match person.press(&page).await? {
        Opened::Passed { to, .. } => Ok(to),
        Opened::Stayed(page) => bail!("the button led to {}: {}", page.status, page.body),
    }
}

/// The person does all that the link asks for, and decides.
async fn consent(person: &Person, link: &str, decision: Decision) -> Result<Answer> {
    Ok(person.consent(&press(person, link).await?, decision).await?)
}

#[tokio::test]
async fn a_link_that_makes_no_sense_is_not_created() -> Result<()> {
    let known = Known::tenant().await?;
    let nobodys = "subscription:01930000-0000-7000-8000-000000000000";
    let one = &known.ids[0];

    for (variables, code, field) in [
        (json!({ "ids": [] }), "INVALID_SELECTION", "subscriptionIds"),
        (json!({ "ids": [one, nobodys] }), "NOT_FOUND", "subscriptionIds"),
        (json!({ "ids": [one], "days": 0 }), "INVALID_EXPIRY", "expiresIn"),
        (json!({ "ids": [one], "days": 31 }), "INVALID_EXPIRY", "expiresIn"),
        (json!({ "ids": [one], "note": "two\nlines" }), "INVALID_NAME", "note"),
        (json!({ "ids": [one], "note": "x".repeat(201) }), "INVALID_NAME", "note"),
    ] {
        let refused = known.payload(variables).await?;
        assert_eq!(refused["userErrors"], json!([{ "code": code, "field": [field] }]));
        assert_eq!((&refused["ownerLink"], &refused["link"]), (&Value::Null, &Value::Null));
    }

    let data = known.app.ask("{ ownerLinks { totalCount } }", json!({})).await?;
    assert_eq!(data["ownerLinks"]["totalCount"], 0);
    Ok(())
}

#[tokio::test]
async fn an_owner_without_an_account_grants_what_is_asked_for_and_nothing_else() -> Result<()> {
    let known = Known::tenant().await?;
    let (id, link) = known.link(&known.ids[1..2]).await?;
    let person = Person::new("owner");

    let page = consent(&person, &link, Decision::Accept).await?;
    known.app.run_jobs().await?;

    assert_eq!(page.status, 200, "{}", page.body);
    // The owner owns all of them.
    assert_eq!(known.readable().await?, [false, true, false]);
    let link = known.state(&id).await?;
    assert_eq!((&link["state"], &link["consentsStarted"]), (&json!("USED"), &json!(1)));
    assert!(link["usedAt"].is_string());
    let consent = &link["consent"];
    assert_eq!(consent["work"], json!({ "kind": "ONBOARD", "subscriptions": [{ "id": known.ids[1] }] }));
    assert_eq!(consent["ownerLink"]["id"], id);
    let operation = known.app.operation_of(consent["id"].as_str().unwrap_or_default()).await?;
    assert_eq!(outcomes(&operation), [("GRANTED".to_owned(), 1)].into(), "{operation}");
    Ok(())
}

#[tokio::test]
async fn two_owners_grant_by_two_links_what_only_they_own() -> Result<()> {
    let known = Known::tenant().await?;
    let (_, for_guest) = known.link(&known.ids[..1]).await?;
    let (_, for_owner) = known.link(&known.ids[1..]).await?;

    consent(&Person::new("guest"), &for_guest, Decision::Accept).await?;
    known.app.run_jobs().await?;
    let between = known.readable().await?;
    consent(&Person::new("owner"), &for_owner, Decision::Accept).await?;
    known.app.run_jobs().await?;

    assert_eq!(between, [true, false, false]);
    assert_eq!(known.readable().await?, [true; 3]);
    Ok(())
}

#[tokio::test]
async fn the_page_says_who_asks_and_for_what_and_may_send_only_to_us_and_to_microsoft() -> Result<()> {
    let known = Known::tenant().await?;
    let (_, link) = known.link(&known.ids[..2]).await?;
    let data = known.app.ask("{ viewer { organization { name } } }", json!({})).await?;
    let organization = data["viewer"]["organization"]["name"].as_str().context("no organization")?;

    let response = support::http::client()?.get(&link).send().await?;

    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let policy = header("content-security-policy").unwrap_or_default().to_owned();
    assert!(policy.contains(&format!("form-action 'self' {};", known.app.simulator.base_url())), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script"), "{policy}");
    assert_eq!(header("referrer-policy"), Some("no-referrer"));
    assert_eq!(header("cache-control"), Some("no-store"));
    let cookie = header("set-cookie").unwrap_or_default().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let page = response.text().await?;
    assert!(page.contains(organization) && page.contains("Contoso") && page.contains("Reader"), "{page}");
    let subscriptions = known.app.simulator.subscriptions();
    let shown: Vec<_> = subscriptions.iter().map(|one| page.contains(&one.id.to_string())).collect();
    assert_eq!(shown, [true, true, false]);
    Ok(())
}

#[tokio::test]
async fn opening_the_link_uses_nothing_up() -> Result<()> {
    let known = Known::tenant().await?;
    let (id, link) = known.link(&known.ids[..1]).await?;
    let before = known.consents().await?;
    let scanner = support::http::client()?;

    for _ in 0..20 {
        assert_eq!(scanner.get(&link).send().await?.status(), 200);
        scanner.head(&link).send().await?;
    }

    assert_eq!(known.consents().await?, before);
    assert_eq!(known.state(&id).await?["state"], "OPEN");
    let page = consent(&Person::new("guest"), &link, Decision::Accept).await?;
    assert_eq!(page.status, 200, "{}", page.body);
    Ok(())
}

#[tokio::test]
async fn the_button_counts_only_in_the_browser_that_was_shown_the_page() -> Result<()> {
    let known = Known::tenant().await?;
    let (_, link) = known.link(&known.ids[..1]).await?;
    let before = known.consents().await?;
    let (shown, other) = (Person::new("guest"), Person::new("guest"));
    let page = shown.sign_in(&link).await?;
    let token = link.split_once("token=").map(|(_, token)| token.to_owned()).context("no token")?;
    let address = format!("http://{}/owner-link", known.app.address());
    let client = support::http::client()?;

    // Without a cookie, with another browser's, with nothing but the token, with nothing, and with no form at all.
    let Opened::Stayed(without) = other.press(&page).await? else { bail!("it led on without a cookie") };
    other.sign_in(&link).await?;
    let Opened::Stayed(others) = other.press(&page).await? else { bail!("it led on with another cookie") };
    let bare = client.post(&address).form(&[("token", &token)]).send().await?;
    let empty = client.post(&address).form(&[("a", "b")]).send().await?;
    let json = client.post(&address).json(&json!({ "token": token })).send().await?;

    assert_eq!((without.status, others.status), (403, 403));
    assert!(without.body.contains("WRONG_BROWSER"), "{}", without.body);
    assert_eq!((bare.status().as_u16(), empty.status().as_u16(), json.status().as_u16()), (403, 403, 403));
    assert_eq!(known.consents().await?, before);
    assert!(matches!(shown.press(&page).await?, Opened::Passed { .. }));
    Ok(())
}

#[tokio::test]
async fn a_refused_consent_may_be_started_again_and_there_is_one_at_a_time() -> Result<()> {
    let known = Known::tenant().await?;
    let (id, link) = known.link(&known.ids[..1]).await?;
    let person = Person::new("guest");

    let refused = consent(&person, &link, Decision::Refuse).await?;
    let after_refusal = known.state(&id).await?;
    let first = press(&person, &link).await?;
    let first_consent = known.state(&id).await?["consent"].take();
    let second = press(&person, &link).await?;

    assert_eq!(refused.status, 400);
    assert_eq!(
        (&after_refusal["state"], &after_refusal["consent"]["state"]),
        (&json!("OPEN"), &json!("REFUSED"))
    );
    let Opened::Stayed(late) = person.open(&first).await? else { bail!("a superseded consent led on") };
    assert_eq!(late.status, 410);
    let query = "query($id: ID!) { consent(id: $id) { state failure { code } } }";
    let superseded = known.app.ask(query, json!({ "id": first_consent["id"] })).await?;
    let expected = json!({ "state": "EXPIRED", "failure": { "code": "SUPERSEDED" } });
    assert_eq!(superseded["consent"], expected);
    let page = person.consent(&second, Decision::Accept).await?;
    assert_eq!(page.status, 200, "{}", page.body);
    let used = known.state(&id).await?;
    assert_eq!((&used["state"], &used["consentsStarted"]), (&json!("USED"), &json!(3)));
    Ok(())
}

#[tokio::test]
async fn a_link_lets_nobody_ask_anything() -> Result<()> {
    let known = Known::tenant().await?;
    let (_, link) = known.link(&known.ids[..1]).await?;
    let token = link.split_once("token=").map(|(_, token)| token.to_owned()).context("no token")?;
    let person = Person::new("guest");
    person.sign_in(&link).await?;
    let cookie = person.cookie(&link).context("no cookie")?;

    let query = "{ viewer { organization { id } } }";
    let by_token = known.app.ask_as(&SecretString::from(token), query, json!({})).await?;
    let request = support::http::client()?.post(format!("http://{}/graphql", known.app.address()));
    let own = format!("http://{}", known.app.address());
    let by_cookie = request.header("cookie", cookie).header("origin", own).json(&json!({ "query": query }));

    assert_eq!(by_token["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{by_token}");
    assert_eq!(by_cookie.send().await?.status(), 401);
    Ok(())
}

#[tokio::test]
async fn what_a_link_does_is_in_the_audit_and_its_secret_nowhere() -> Result<()> {
    let known = Known::tenant().await?;
    let (_, link) = known.link(&known.ids[..1]).await?;
    let before = actions(&known.app).await?.len();
    let person = Person::new("guest");

    consent(&person, &link, Decision::Accept).await?;

    let told = actions(&known.app).await?;
    let wanted = [Action::ConsentStarted, Action::ConsentGranted, Action::OwnerLinkUsed];
    assert_eq!(told[before..], wanted);
    let events = events_of(&known.app.database, known.app.member.organization_id).await?;
    let text = format!("{events:?}");
    let token = link.split_once("token=").map(|(_, token)| token).context("no token")?;
    assert!(!text.contains(token) && !text.contains("eyJ"), "{text}");
    assert!(text.contains("owner-link:"), "{text}");
    Ok(())
}
