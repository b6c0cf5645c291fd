//! Isolation: every root field and every kind of node, asked for by a member of another organization, by each
//! role below the needed one, and without the needed scope. On SQLite nothing but the resolvers keeps them apart;
//! on PostgreSQL the wall stands, and hides nothing from whom it should show.

mod table;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use api::permission::{OfAccessToken, Permission};
use api::viewer::{Actor, Viewer};
use async_graphql::{Request, Variables};
use chrono::TimeDelta;
use entity::access_token::{AccessScope, AccessScopes};
use entity::member::Role;
use entity::office::{feed, group};
use entity::operation::State;
use entity::{owner_link, subscription, tenant};
use futures::StreamExt;
use migration::wall;
use sea_orm::{ActiveModelTrait, ConnectionTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use super::office::directory::{Directory, GRANTED};
use super::stage::{Given, Stage};
use table::{Case, table};

/// What it takes to see each kind of node, by how its ids begin.
const NODES: [(&str, Permission); 18] = [
    ("organization", Permission::KnowOneself),
    ("member", Permission::ReadMembers),
    ("tenant", Permission::ReadInventory),
    ("subscription", Permission::ReadInventory),
    ("resource", Permission::ReadInventory),
    ("operation", Permission::ReadOperations),
    ("consent", Permission::ReadConsents),
    ("accessToken", Permission::ReadAccessTokens),
    ("invitation", Permission::ReadInvitations),
    ("enrollmentKey", Permission::ReadEnrollmentKeys),
    ("auditEvent", Permission::ReadAudit),
    ("ownerLink", Permission::ReadConsents),
    ("changeSet", Permission::ReadInventory),
    ("tagWrite", Permission::ReadInventory),
    ("tagName", Permission::ReadInventory),
    ("officeUser", Permission::ReadReports),
    ("officeGroup", Permission::ReadReports),
    ("report", Permission::ReadReports),
];

/// Something of every kind in an organization of its own, and the ids of it by kind.
async fn world(stage: &Stage) -> Result<(Viewer, BTreeMap<&'static str, String>)> {
    let viewer = stage.viewer().await?;
    let tenant = stage.tenant(viewer).await?;
    let subscription = stage.subscription(&tenant, "one").await?;
    let tagged = Given { name: "vm", tags: &[("env", "prod")], ..Given::default() };
    stage.resources(&subscription, &[tagged]).await?;
    let operation = stage.onboarding(viewer, &tenant, State::Running).await?;
    let access_token = stage.access_token(viewer).await?;
    let invitation = stage.invitation(viewer).await?;
    let colleague = stage.colleague(viewer, Role::Editor).await?;
    let enrollment_key = stage.enrollment_key(viewer, "100").await?;
    let audit_event = stage.audit_event(viewer).await?;
    let owner_link = owner_link(stage, viewer, &subscription).await?;
    let data =
        stage.ask(viewer, "{ resources { nodes { id } } consents { nodes { id } } }", json!({})).await?;
    let plan = "mutation { planChangeSet(input: { selection: { all: true, expectedCount: 1 },
        set: [{ name: \"a\", value: \"b\" }] }) { changeSet { id writes { nodes { id } } } } }";
    let planned = stage.ask(viewer, plan, json!({})).await?["planChangeSet"]["changeSet"].take();
    let decide =
        "mutation { changeTagName(input: { name: \"a\", conflictPolicy: ASK }) { tagNameSetting { id } } }";
    let decided = stage.ask(viewer, decide, json!({})).await?;
    stage.database.execute_unprepared("update tag_write set outcome = 'CONFLICT'").await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let asked = |list: &str| data[list]["nodes"][0]["id"].as_str().unwrap_or_default().to_owned();
    let office = office(stage, viewer, &tenant).await?;
    let ids = BTreeMap::from([
        ("organization", format!("organization:{}", viewer.organization_id)),
        ("member", format!("member:{}", colleague.member_id)),
        ("tenant", format!("tenant:{}", tenant.id)),
        ("subscription", format!("subscription:{}", subscription.id)),
        ("resource", asked("resources")),
        ("operation", format!("operation:{}", operation.id)),
        ("consent", asked("consents")),
        ("accessToken", format!("access-token:{}", access_token.id)),
        ("invitation", format!("invitation:{}", invitation.id)),
        ("enrollmentKey", format!("enrollment-key:{}", enrollment_key.id)),
        ("auditEvent", format!("audit-event:{}", audit_event.id)),
        ("ownerLink", format!("owner-link:{}", owner_link.id)),
        ("changeSet", text(&planned["id"])),
        ("tagName", text(&decided["changeTagName"]["tagNameSetting"]["id"])),
        ("tagWrite", text(&planned["writes"]["nodes"][0]["id"])),
    ]);
    Ok((viewer, ids.into_iter().chain(office).collect()))
}

/// A user, a group and a report of a tenant.
async fn office(
    stage: &Stage,
    viewer: Viewer,
    tenant: &tenant::Model,
) -> Result<[(&'static str, String); 3]> {
    let directory = Directory::of(stage, viewer, tenant.clone(), Some(&GRANTED)).await?;
    let user = directory.user("ada", |_| ()).await?;
    let group = directory.group("crew", group::Kind::Security, 0).await?;
    let report = directory.report(feed::Kind::Sites, 180, directory.ago(2), None, &[]).await?;
    Ok([
        ("officeUser", format!("office-user:{}", user.id)),
        ("officeGroup", format!("office-group:{}", group.id)),
        ("report", format!("report:{}", report.id)),
    ])
}

/// An open owner link.
async fn owner_link(
    stage: &Stage,
    viewer: Viewer,
    subscription: &subscription::Model,
) -> Result<owner_link::Model> {
    let wanted = owner_link::Wanted {
        organization_id: viewer.organization_id,
        tenant_id: subscription.tenant_id,
        subscriptions: vec![subscription.id],
        note: "for Olivia".to_owned(),
        created_by: viewer.member_id,
        access_token_id: None,
        expires_at: stage.clock.now() + TimeDelta::days(7),
    };
    Ok(wanted.created(stage.clock.now()).0.insert(&stage.database).await?)
}

/// The ids of things that do not exist.
fn nobodys(ids: &BTreeMap<&'static str, String>) -> Value {
    let gone = Uuid::now_v7();
    let prefix = |id: &str| id.split(':').next().unwrap_or_default().to_owned();
    json!(ids.iter().map(|(kind, id)| (*kind, format!("{}:{gone}", prefix(id)))).collect::<BTreeMap<_, _>>())
}

/// The first thing that `viewer` is told.
async fn told(stage: &Stage, viewer: Viewer, query: &str, variables: &Value) -> Result<Value> {
    let request = Request::new(query).variables(Variables::from_json(variables.clone())).data(viewer);
    let mut answers = stage.schema.execute_stream(request);
    let answer = wall::within(Some(viewer.organization_id), answers.next()).await.context("no answer")?;
    Ok(serde_json::to_value(answer)?)
}

/// What a field shows to `viewer`, who may ask for it.
async fn shown(stage: &Stage, viewer: Viewer, case: &Case, variables: &Value) -> Result<Value> {
    let mut answer = told(stage, viewer, case.query, variables).await?;
    ensure!(answer.get("errors").is_none(), "{}: {answer}", case.field);
    Ok(answer["data"][case.name()].take())
}

/// Why a query is refused to `viewer`: the reason, if it is forbidden at all.
async fn refused(stage: &Stage, viewer: Viewer, query: &str, variables: &Value) -> Result<Option<Value>> {
    let answer = told(stage, viewer, query, variables).await?;
    let extensions = &answer["errors"][0]["extensions"];
    Ok((extensions["code"] == "FORBIDDEN").then(|| extensions.clone()))
}

fn token_of(viewer: Viewer, scopes: AccessScopes) -> Viewer {
    Viewer { actor: Actor::AccessToken { id: Uuid::now_v7(), scopes }, ..viewer }
}

/// Whoever may not do something: each role below the needed one, and a token that lacks only the scope.
fn too_little(viewer: Viewer, needs: Permission) -> Vec<(Viewer, &'static str)> {
    let roles = [Role::Viewer, Role::Editor, Role::Admin].into_iter().filter(|role| *role < needs.role());
    let members = roles.map(|role| Viewer { actor: Actor::Member(role), ..viewer });
    let mut found: Vec<_> = members.map(|member| (member, "INSUFFICIENT_ROLE")).collect();
    let lacking = |lacking: Option<AccessScope>| {
        AccessScope::ALL.into_iter().filter(|scope| Some(*scope) != lacking).collect()
    };
    match needs.of_access_token() {
        OfAccessToken::Any => {}
        OfAccessToken::With(scope) => {
            found.push((token_of(viewer, lacking(Some(scope))), "INSUFFICIENT_SCOPE"));
        }
        OfAccessToken::Never => found.push((token_of(viewer, lacking(None)), "INSUFFICIENT_SCOPE")),
    }
    found
}

/// Whoever may just do something.
fn just_enough(viewer: Viewer, needs: Permission) -> Vec<Viewer> {
    let mut found = vec![Viewer { actor: Actor::Member(needs.role()), ..viewer }];
    match needs.of_access_token() {
        OfAccessToken::Any => found.push(token_of(viewer, AccessScopes::default())),
        OfAccessToken::With(scope) => found.push(token_of(viewer, [scope].into_iter().collect())),
        OfAccessToken::Never => {}
    }
    found
}

/// What a field's description has to say.
fn sentence(needs: Permission) -> String {
    let role = format!("Needs the role `{}`", needs.role().as_str());
    match needs.of_access_token() {
        OfAccessToken::Any => "Needs any role, or any access token.".to_owned(),
        OfAccessToken::With(scope) => format!("{role}, or the scope `{scope}`."),
        OfAccessToken::Never => format!("{role}; no access token may do it."),
    }
}

/// Each root field, with its description.
async fn root_fields() -> Result<BTreeMap<String, String>> {
    let root = "{ name fields(includeDeprecated: true) { name description } }";
    let query = format!("{{ __schema {{ queryType {root} mutationType {root} subscriptionType {root} }} }}");
    let answer = api::graphql::schema(None).execute(Request::new(query)).await;
    let schema = serde_json::to_value(answer)?["data"]["__schema"].take();
    let mut found = BTreeMap::new();
    for kind in ["queryType", "mutationType", "subscriptionType"] {
        let kind = &schema[kind];
        for field in kind["fields"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let description = text(&field["description"]).split_whitespace().collect::<Vec<_>>().join(" ");
            found.insert(format!("{}.{}", text(&kind["name"]), text(&field["name"])), description);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn every_root_field_is_in_the_table_and_says_what_it_takes() -> Result<()> {
    let fields = root_fields().await?;

    let mut listed: Vec<_> = table().iter().map(|case| case.field.to_owned()).collect();
    listed.sort();
    assert_eq!(fields.keys().cloned().collect::<Vec<_>>(), listed);
    for case in table().iter().filter(|case| !case.field.starts_with("Query.node")) {
        let (description, wanted) = (&fields[case.field], sentence(case.needs));
        assert!(description.contains(&wanted), "{} has to say {wanted:?}: {description}", case.field);
    }
    Ok(())
}

#[tokio::test]
async fn a_stranger_sees_nothing_through_any_root_field() -> Result<()> {
    let stage = Stage::behind_wall().await?;
    let (owner, ids) = world(&stage).await?;
    let ids = json!(ids);
    let stranger = stage.viewer().await?;
    let own = json!({ "organization": { "id": format!("organization:{}", stranger.organization_id) } });
    for case in table() {
        let nothing = if case.name() == "viewer" { &own } else { &case.nothing };
        assert_eq!(&shown(&stage, stranger, &case, &ids).await?, nothing, "{}", case.field);
        // The same query has something to show to its owner.
        let seen = shown(&stage, owner, &case, &ids).await?;
        assert!(&seen != nothing || !case.names_a_row(), "{} shows nothing to anybody", case.field);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_somebody_elses_answers_as_what_does_not_exist() -> Result<()> {
    let stage = Stage::behind_wall().await?;
    let (_, ids) = world(&stage).await?;
    let stranger = stage.viewer().await?;
    for case in table().iter().filter(|case| case.names_a_row()) {
        let theirs = shown(&stage, stranger, case, &json!(ids)).await?;
        assert_eq!(theirs, shown(&stage, stranger, case, &nobodys(&ids)).await?, "{}", case.field);
    }
    Ok(())
}

#[tokio::test]
async fn each_lower_role_and_each_missing_scope_is_refused_with_a_reason() -> Result<()> {
    let stage = Stage::behind_wall().await?;
    let (owner, ids) = world(&stage).await?;
    let ids = json!(ids);
    for case in table() {
        for (viewer, reason) in too_little(owner, case.needs) {
            let told = refused(&stage, viewer, case.query, &ids).await?;
            let told = told.with_context(|| format!("{} lets {:?} in", case.field, viewer.actor))?;
            assert_eq!(told["reason"], reason, "{}: {told}", case.field);
        }
        for viewer in just_enough(owner, case.needs) {
            let told = refused(&stage, viewer, case.query, &ids).await?;
            // Further in, a field may need more: then the path is longer, and the field itself was answered.
            assert_eq!(told, None, "{} refuses {:?}", case.field, viewer.actor);
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_kind_of_node_is_hidden_from_strangers_lower_roles_and_missing_scopes() -> Result<()> {
    let stage = Stage::behind_wall().await?;
    let (owner, ids) = world(&stage).await?;
    let stranger = stage.viewer().await?;
    assert_eq!(ids.keys().count(), NODES.len(), "each kind has a node");
    for (kind, needs) in NODES {
        let id = json!({ "id": ids[kind] });
        for query in
            ["query($id: ID!) { node(id: $id) { id } }", "query($id: ID!) { nodes(ids: [$id]) { id } }"]
        {
            let hidden = told(&stage, stranger, query, &id).await?;
            assert!(!hidden.to_string().contains(&ids[kind]), "{kind}: {hidden}");
            let seen = told(&stage, owner, query, &id).await?;
            assert!(seen.to_string().contains(&ids[kind]), "{kind}: {seen}");
            for (viewer, reason) in too_little(owner, needs) {
                let told = refused(&stage, viewer, query, &id).await?;
                let told = told.with_context(|| format!("{kind} is shown to {:?}", viewer.actor))?;
                assert_eq!(told["reason"], reason, "{kind}: {told}");
            }
            for viewer in just_enough(owner, needs) {
                let seen = told(&stage, viewer, query, &id).await?;
                assert!(seen.to_string().contains(&ids[kind]), "{kind}: {seen}");
            }
        }
    }
    Ok(())
}
