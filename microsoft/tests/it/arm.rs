//! Resource Manager and Resource Graph when they misbehave.

use std::time::Duration;

use futures::StreamExt;
use microsoft::{Caller, MicrosoftError, Role};
use url::Url;
use uuid::Uuid;

use crate::server::{Answer, Server, json};

const TENANT: Uuid = Uuid::from_u128(1);
const SUBSCRIPTION: Uuid = Uuid::from_u128(7);
const PRINCIPAL: Uuid = Uuid::from_u128(8);

fn user() -> Caller {
    Caller::Pasted { tenant: TENANT, token: "user-token".into() }
}

fn subscription(id: u128) -> String {
    let id = Uuid::from_u128(id);
    format!(r#"{{"subscriptionId":"{id}","tenantId":"{TENANT}","displayName":"S","state":"Enabled"}}"#)
}

fn page(rows: &[String], next: Option<String>) -> String {
    let next = next.map_or("null".to_owned(), |next| format!("\"{next}\""));
    format!(r#"{{"value":[{}],"nextLink":{next}}}"#, rows.join(","))
}

#[tokio::test]
async fn pages_are_followed_to_the_last_even_over_an_empty_one() {
    let server = Server::start(|number, _, base: &Url| {
        let next =
            |token: &str| Some(format!("{base}subscriptions?api-version=2022-12-01&%24skiptoken={token}"));
        match number {
            0 => json(200, "", &page(&[subscription(1)], next("a"))),
            1 => json(200, "", &page(&[], next("b"))),
            _ => json(200, "", &page(&[subscription(2)], None)),
        }
    })
    .await;

    let found = server.client().arm().subscriptions(&user()).await.expect("subscriptions");

    assert_eq!(found.len(), 2);
    assert_eq!(server.lines()[2], "GET /subscriptions?api-version=2022-12-01&%24skiptoken=b");
    let first = &server.received()[0];
    assert!(first.headers.contains("authorization: bearer user-token"));
    assert!(first.headers.contains("x-ms-client-request-id: "));
    assert!(first.headers.contains("x-ms-correlation-request-id: "));
}

#[tokio::test]
async fn a_link_to_another_host_gets_no_token() {
    let elsewhere = Server::start(|_, _, _| json(200, "", r#"{"value":[]}"#)).await;
    let link = elsewhere.client().login().authorization_url(&microsoft::AuthorizationRequest {
        purpose: microsoft::Purpose::Delegation,
        tenant: TENANT,
        state: "s".into(),
        nonce: "n".into(),
        code_verifier: "v".into(),
    });
    let server = Server::start(move |_, _, _| json(200, "", &page(&[], Some(link.to_string())))).await;

    let refused = server.client().arm().subscriptions(&user()).await.expect_err("a refusal");

    assert!(matches!(refused, MicrosoftError::Unexpected { .. }));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_not_an_empty_list() {
    for body in ["", "\"\"", "{}", "<html></html>", "null"] {
        let server = Server::start(move |_, _, _| json(200, "", body)).await;
        let refused = server.client().arm().subscriptions(&user()).await.expect_err(body);
        assert!(matches!(refused, MicrosoftError::Unexpected { .. }), "{body}");
    }
}

#[tokio::test]
async fn faults_that_pass_are_repeated() {
    let server = Server::start(|number, _, _| match number {
        0 => json(502, "", "<html>Bad Gateway</html>"),
        1 => Answer::Cut,
        _ => json(200, "", &subscription(7)),
    })
    .await;

    let found = server.client().arm().subscription(&user(), SUBSCRIPTION).await.expect("a subscription");

    assert_eq!(found.subscription_id, SUBSCRIPTION);
    assert_eq!(server.received().len(), 3);
}

#[tokio::test]
async fn faults_that_stay_end_as_unavailable() {
    let server = Server::start(|_, _, _| json(500, "x-ms-request-id: r1\r\n", "")).await;

    let error = server.client().arm().subscription(&user(), SUBSCRIPTION).await.expect_err("an outage");

    assert!(matches!(error, MicrosoftError::Unavailable { .. }));
    assert_eq!(error.request_id(), Some("r1"));
    assert!(error.correlation_id().is_some() && error.retryable());
    assert_eq!(server.received().len(), 4);
}

#[tokio::test]
async fn a_long_wait_is_handed_back_and_closes_the_lane() {
    let server = Server::start(|_, _, _| json(429, "retry-after: 30\r\n", "\"\"")).await;
    let client = server.client();

    let refused = client.arm().subscription(&user(), SUBSCRIPTION).await.expect_err("a throttle");
    let not_sent = client.arm().subscription(&user(), SUBSCRIPTION).await.expect_err("a throttle");

    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));
    assert!(not_sent.retry_after().is_some_and(|wait| wait > Duration::from_secs(25)));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_short_wait_is_waited_out() {
    let server = Server::start(|number, _, _| match number {
        0 => json(429, "retry-after: 0\r\n", r#"{"code":"TooManyRequests"}"#),
        _ => json(200, "", &subscription(7)),
    })
    .await;

    assert!(server.client().arm().subscription(&user(), SUBSCRIPTION).await.is_ok());
}

#[tokio::test]
async fn a_scan_waits_out_its_quota_even_when_no_wait_is_named() {
    let server = Server::start(|number, _, _| match number {
        0 => json(
            429,
            "x-ms-user-quota-remaining: 0\r\nx-ms-user-quota-resets-after: 00:00:00\r\n",
            r#"{"error":{"code":"RateLimiting","message":"wait","details":[{"code":"RateLimiting","message":"x"}]}}"#,
        ),
        _ => json(200, "", r#"{"totalRecords":0,"count":0,"resultTruncated":"false","data":[]}"#),
    })
    .await;

    let pages: Vec<_> = server.client().arm().resource_graph(user(), vec![SUBSCRIPTION]).collect().await;

    assert_eq!(pages, [Ok(vec![])]);
    assert_eq!(server.received().len(), 2);
}

#[tokio::test]
async fn a_body_beyond_all_measure_is_refused() {
    let announced = Server::start(|_, _, _| {
        Answer::Bytes("HTTP/1.1 200 X\r\ncontent-length: 99000000\r\n\r\n{".to_owned())
    })
    .await;
    let endless = Server::start(|_, _, _| {
        Answer::Bytes(format!("HTTP/1.1 200 X\r\nconnection: close\r\n\r\n{}", " ".repeat(2 << 20)))
    })
    .await;
    for server in [announced, endless] {
        let error = server.client().arm().subscription(&user(), SUBSCRIPTION).await.expect_err("a refusal");
        assert!(matches!(error, MicrosoftError::Unexpected { .. }), "{error}");
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server =
        Server::start(|_, _, base: &Url| json(302, &format!("location: {base}stolen\r\n"), "")).await;

    assert!(server.client().arm().subscription(&user(), SUBSCRIPTION).await.is_err());

    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn a_users_refused_token_is_not_tried_again() {
    let server = Server::start(|_, _, _| {
        json(401, "", r#"{"error":{"code":"ExpiredAuthenticationToken","message":"expired"}}"#)
    })
    .await;

    let error = server.client().arm().subscription(&user(), SUBSCRIPTION).await.expect_err("a refusal");

    assert!(matches!(error, MicrosoftError::TokenExpired { .. }));
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn an_existing_assignment_is_adopted_from_the_list_when_the_text_has_no_id() {
    let server = Server::start(|_, request, _| {
        if request.line.starts_with("PUT") {
            return json(
                409,
                "",
                r#"{"error":{"code":"RoleAssignmentExists","message":"The role assignment already exists."}}"#,
            );
        }
        let row = |scope: &str, role: Uuid| {
            format!(
                r#"{{"id":"{scope}/x/Other","name":"Other","properties":{{"roleDefinitionId":"/x/{role}","principalId":"{PRINCIPAL}","scope":"{scope}"}}}}"#
            )
        };
        let scope = format!("/Subscriptions/{SUBSCRIPTION}");
        let above = row("/providers/Microsoft.Management/managementGroups/m", Role::Reader.definition_id());
        let other = row(&scope, Role::TagContributor.definition_id());
        json(200, "", &page(&[above, other, row(&scope, Role::Reader.definition_id())], None))
    })
    .await;

    let found =
        server.client().arm().assign_role(&user(), SUBSCRIPTION, Role::Reader, PRINCIPAL).await.expect("one");

    assert!(found.adopted);
    assert_eq!((found.role, found.scope), (Role::Reader, format!("/Subscriptions/{SUBSCRIPTION}")));
    let put = &server.received()[0];
    assert!(put.body.contains(r#""principalType":"ServicePrincipal""#));
    assert!(put.headers.contains("content-type: application/json"));
}

#[tokio::test]
async fn resource_graph_is_read_to_the_end_and_a_lost_row_is_noticed() {
    let row = |n: u32| {
        format!(r#"{{"id":"/subscriptions/{SUBSCRIPTION}/r/{n}","name":"r{n}","type":"a/b","tags":null}}"#)
    };
    let answer = move |total: u32| {
        move |number: usize, _: &crate::server::Received, _: &Url| {
            let quota = "x-ms-user-quota-remaining: 14\r\nx-ms-user-quota-resets-after: 00:00:05\r\n";
            let token = if number == 0 { r#","$skipToken":"t""# } else { "" };
            let n = u32::try_from(number).expect("few");
            json(
                200,
                quota,
                &format!(
                    r#"{{"totalRecords":{total},"count":1,"resultTruncated":"false"{token},"data":[{}]}}"#,
                    row(n)
                ),
            )
        }
    };

    let whole = Server::start(answer(2)).await;
    let pages: Vec<_> = whole.client().arm().resource_graph(user(), vec![SUBSCRIPTION]).collect().await;
    assert_eq!(pages.iter().map(|page| page.as_ref().map(Vec::len)).collect::<Vec<_>>(), [Ok(1), Ok(1)]);
    let second = &whole.received()[1];
    assert!(second.body.contains(r#""$skipToken":"t""#) && second.body.contains("order by id asc"));

    let lossy = Server::start(answer(3)).await;
    let pages: Vec<_> = lossy.client().arm().resource_graph(user(), vec![SUBSCRIPTION]).collect().await;
    assert!(matches!(pages.last(), Some(Err(MicrosoftError::Incomplete { .. }))));
}

#[tokio::test]
async fn resources_are_counted_in_groups_and_a_cut_count_is_none() {
    let answer = |truncated: bool| {
        move |_: usize, _: &crate::server::Received, _: &Url| {
            let body = format!(
                r#"{{"totalRecords":1,"count":1,"resultTruncated":"{truncated}","facets":[],
                    "data":[{{"subscriptionId":"{SUBSCRIPTION}","count_":42}}]}}"#
            );
            json(200, "", &body)
        }
    };
    let many: Vec<_> = (1..=301).map(Uuid::from_u128).collect();

    let whole = Server::start(answer(false)).await;
    let counted = whole.client().arm().resource_counts(&user(), &many).await.expect("counts");
    assert_eq!((counted.len(), counted.get(&SUBSCRIPTION)), (1, Some(&42)));
    assert_eq!(whole.received().len(), 2);
    assert!(whole.received()[0].body.contains("summarize count() by subscriptionId"));

    let cut = Server::start(answer(true)).await;
    let refused = cut.client().arm().resource_counts(&user(), &[SUBSCRIPTION]).await;
    assert!(matches!(refused, Err(MicrosoftError::Incomplete { .. })));
}
