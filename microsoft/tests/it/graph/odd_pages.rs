//! Pages that are not as they should be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use microsoft::delta::{Change, Next, Start, Told};
use microsoft::{DeltaLink, MicrosoftError};
use url::Url;
use uuid::Uuid;

use crate::server::{Answer, Received, Server, json};

const TENANT: Uuid = Uuid::from_u128(1);
const USER: Uuid = Uuid::from_u128(7);

fn token() -> Answer {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"oid":"{TENANT}","tid":"{TENANT}","roles":["User.Read.All"]}}"#);
    let token = format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(&claims), part("x"));
    json(200, "", &format!(r#"{{"token_type":"Bearer","expires_in":"3599","access_token":"{token}"}}"#))
}

/// A server that gives everybody a token, and this to whoever asks for anything else.
async fn server(page: impl Fn(&Received, &Url) -> Answer + Send + Sync + 'static) -> Server {
    Server::start(
        move |_, request, base| {
            if request.line.contains("/oauth2/") { token() } else { page(request, base) }
        },
    )
    .await
}

fn first(rows: &str, link: &str) -> Answer {
    json(200, "", &format!(r#"{{"value":[{rows}]{link}}}"#))
}

async fn ask(server: &Server, start: &Start) -> Result<Next, MicrosoftError> {
    server.client().graph().user_changes(TENANT, start).await.map(|page| page.next)
}

#[tokio::test]
async fn a_link_elsewhere_is_neither_stored_nor_followed() {
    let elsewhere = server(|_, _| first("", "")).await;
    let foreign = elsewhere.client().login().origin();
    for kind in ["nextLink", "deltaLink"] {
        let link = format!(r#","@odata.{kind}":"{foreign}/v1.0/users/delta?$skiptoken=a""#);
        let here = server(move |_, _| first("", &link)).await;
        let error = ask(&here, &Start::Beginning).await.expect_err("a refusal");
        assert_eq!(error.code(), "UNEXPECTED_ANSWER", "{kind}");

        let stored = Start::At(DeltaLink::stored(format!("{foreign}/v1.0/users/delta?$skiptoken=a")));
        assert_eq!(ask(&here, &stored).await.expect_err("a refusal").code(), "UNEXPECTED_ANSWER");
    }
    assert!(elsewhere.lines().is_empty(), "{:?}", elsewhere.lines());
}

#[tokio::test]
async fn a_page_that_leads_to_itself_or_nowhere_is_not_the_end() {
    let circle = server(|_, base| {
        first("", &format!(r#","@odata.nextLink":"{base}v1.0/users/delta?$skiptoken=same""#))
    })
    .await;
    let Ok(Next::Page(link)) = ask(&circle, &Start::Beginning).await else { panic!("a first page") };
    let error = ask(&circle, &Start::At(link)).await.expect_err("a refusal");
    assert!(matches!(error, MicrosoftError::Incomplete { .. }), "{error}");

    for link in ["", r#","@odata.nextLink":"""#, r#","@odata.nextLink":null,"@odata.deltaLink":null"#] {
        let nowhere = server(move |_, _| first("", link)).await;
        let error = ask(&nowhere, &Start::Beginning).await.expect_err("a refusal");
        assert!(matches!(error, MicrosoftError::Incomplete { .. }), "{link}: {error}");
    }
}

#[tokio::test]
async fn a_round_may_end_where_it_began() {
    let quiet = server(|_, base| {
        first("", &format!(r#","@odata.deltaLink":"{base}v1.0/users/delta?$deltatoken=same""#))
    })
    .await;
    let Ok(Next::End(link)) = ask(&quiet, &Start::Beginning).await else { panic!("an end") };
    assert!(matches!(ask(&quiet, &Start::At(link)).await, Ok(Next::End(_))));
    assert_eq!(quiet.lines().last().map(String::as_str), Some("GET /v1.0/users/delta?$deltatoken=same"));
}

#[tokio::test]
async fn an_answer_that_is_no_page_is_not_an_empty_one() {
    for body in ["{}", "\"\"", "[]", r#"{"value":null}"#, r#"{"value":[{"displayName":"no id"}]}"#] {
        let odd = server(move |_, _| json(200, "", body)).await;
        let error = ask(&odd, &Start::Beginning).await.expect_err("a refusal");
        assert!(matches!(error, MicrosoftError::Unexpected { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn what_a_change_does_not_tell_is_left_alone() {
    let terse = server(|_, base| {
        let rows = format!(
            r#"{{"id":"{USER}","displayName":"Ann","mail":null}},{{"id":"{USER}","@removed":{{"reason":"changed"}}}},
               {{"id":"{USER}","@removed":{{}}}}"#
        );
        first(&rows, &format!(r#","@odata.deltaLink":"{base}v1.0/users/delta?$deltatoken=a""#))
    })
    .await;
    let page = terse.client().graph().user_changes(TENANT, &Start::Beginning).await.expect("a page");
    let [Change::Is(user), soft, unsaid] = page.changes.as_slice() else { panic!("{:?}", page.changes) };
    assert_eq!((&user.display_name, &user.mail), (&Told::Is("Ann".to_owned()), &Told::Empty));
    assert_eq!((&user.department, &user.account_enabled), (&Told::Nothing, &Told::Nothing));
    assert_eq!(*soft, Change::Removed { id: USER, deleted: false });
    assert_eq!(*unsaid, Change::Removed { id: USER, deleted: false }, "what is not said to be final is not");
    assert!(terse.lines()[1].starts_with("GET /v1.0/users/delta?$select=id,displayName,"));
    assert!(!terse.received()[1].headers.contains("prefer:"));
}

#[tokio::test]
async fn a_list_of_sign_ins_does_not_lead_elsewhere_either() {
    let elsewhere = server(|_, _| first("", "")).await;
    let link =
        format!(r#","@odata.nextLink":"{}/v1.0/users?$skiptoken=a""#, elsewhere.client().login().origin());
    let here = server(move |_, _| first(&format!(r#"{{"id":"{USER}"}}"#), &link)).await;
    let pages: Vec<_> = here.client().graph().sign_ins(TENANT).collect().await;
    assert!(matches!(pages.as_slice(), [Err(error)] if error.code() == "UNEXPECTED_ANSWER"), "{pages:?}");
    assert!(elsewhere.lines().is_empty());
}

#[tokio::test]
async fn report_settings_come_alone_or_wrapped_or_are_not_understood() {
    for (body, concealed) in [
        (r#"{"@odata.context":"c","displayConcealedNames":true}"#, Some(true)),
        (r#"{"value":{"displayConcealedNames":false}}"#, Some(false)),
        ("{}", None),
    ] {
        let server = server(move |_, _| json(200, "", body)).await;
        let read = server.client().graph().conceals_names(TENANT).await;
        assert_eq!(read.as_ref().ok().copied(), concealed, "{body}");
        assert!(concealed.is_some() || matches!(read, Err(MicrosoftError::Unexpected { .. })));
    }
}

#[tokio::test]
async fn a_token_that_names_no_tenant_proves_no_permission() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"oid":"{USER}","roles":["User.Read.All"]}}"#);
    let token = format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(&claims), part("x"));
    let body = format!(r#"{{"token_type":"Bearer","expires_in":"3599","access_token":"{token}"}}"#);
    let server = Server::start(move |_, _, _| json(200, "", &body)).await;
    let error = server.client().graph().permissions(TENANT).await.expect_err("a refusal");
    assert!(matches!(error, MicrosoftError::WrongTenant { .. }), "{error}");
}
