//! Facets, tag coverage and tag names, on both databases: exact, at once, and counted no more often than needed.

use anyhow::{Context as _, Result};
use api::viewer::Viewer;
use entity::reach;
use entity::resource::{self, Column};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, Set};
use serde_json::{Value, json};
use uuid::Uuid;

use super::filters::{World, world};
use super::stage::Given;

const FACETS: &str = "query($filter: ResourceFilter, $search: String, $first: Int) {
    resourceFacets(filter: $filter, search: $search) {
      resourceCount
      types(first: $first) { bucketCount resourcesInRest buckets { value resourceCount } }
      locations(first: $first) { bucketCount resourcesInRest buckets { value resourceCount } }
      resourceGroups(first: $first) { bucketCount resourcesInRest buckets { value resourceCount } }
      tagNames(first: $first) { bucketCount resourcesInRest buckets { value resourceCount } }
      env: tagValues(name: \"ENV\", first: $first) { bucketCount resourcesInRest buckets { value resourceCount } }
      subscriptions(first: $first) { bucketCount resourcesInRest
        buckets { subscription { displayName } resourceCount } } } }";

async fn facets(world: &World, viewer: Viewer, variables: Value) -> Result<Value> {
    Ok(world.stage.ask(viewer, FACETS, variables).await?["resourceFacets"].take())
}

/// The buckets of a facet, in order.
fn buckets(facet: &Value) -> Vec<(String, i64)> {
    let buckets = facet["buckets"].as_array().into_iter().flatten();
    let value = |bucket: &Value| {
        bucket["value"].as_str().or_else(|| bucket["subscription"]["displayName"].as_str()).map(str::to_owned)
    };
    buckets.filter_map(|bucket| value(bucket).zip(bucket["resourceCount"].as_i64())).collect()
}

fn expected(buckets: &[(&str, i64)]) -> Vec<(String, i64)> {
    buckets.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused_with_the_reason() -> Result<()> {
    let world = world().await?;
    let many = (0..21).map(|index| format!("\"{index}\"")).collect::<Vec<_>>().join(",");
    for (query, code, says) in [
        ("{ resourceFacets { types(first: 501) { bucketCount } } }".to_owned(), "BAD_INPUT", "at most 500"),
        (
            "{ resourceFacets { subscriptions(first: -1) { bucketCount } } }".to_owned(),
            "BAD_INPUT",
            "negative",
        ),
        (
            "{ resourceFacets { tagValues(name: \"a\\nb\") { bucketCount } } }".to_owned(),
            "BAD_INPUT",
            "line break",
        ),
        (
            "{ resourceFacets(filter: { not: { presence: ANY } }) { resourceCount } }".to_owned(),
            "BAD_INPUT",
            "presence",
        ),
        ("{ resourceFacets(filter: { tenants: [\"x\"] }) { resourceCount } }".to_owned(), "BAD_ID", "tenant"),
        ("{ tagCoverage(names: []) { total { withAll } } }".to_owned(), "BAD_INPUT", "names has 0 items"),
        (
            format!("{{ tagCoverage(names: [{many}]) {{ total {{ withAll }} }} }}"),
            "BAD_INPUT",
            "names has 21",
        ),
        ("{ tagNames(search: \"a\\u0000\") { totalCount } }".to_owned(), "BAD_INPUT", "NUL"),
        ("{ tagNames(after: \"x\") { totalCount } }".to_owned(), "BAD_CURSOR", "not a cursor"),
    ] {
        let (refused, message) = world.stage.refusal(world.viewer, &query, json!({})).await?;
        assert_eq!(refused, code, "{query}");
        assert!(message.contains(says), "{query}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn the_largest_buckets_come_first_and_the_rest_is_counted() -> Result<()> {
    let world = world().await?;

    let all = facets(&world, world.viewer, json!({})).await?;
    let two = facets(&world, world.viewer, json!({ "first": 1 })).await?;

    assert_eq!(all["resourceCount"], 5);
    for (facet, there) in [
        ("types", &[("microsoft.compute/disks", 3), ("microsoft.compute/virtualmachines", 2)][..]),
        ("locations", &[("eastus", 3), ("global", 1), ("westeurope", 1)]),
        ("resourceGroups", &[("rg-data", 2), ("rg-web", 2), ("rg", 1)]),
        ("tagNames", &[("env", 3), ("owner", 1), ("quote\"d", 1)]),
        ("env", &[("Prod", 1), ("Test", 1), ("prod", 1)]),
        ("subscriptions", &[("first", 4), ("Second", 1)]),
    ] {
        assert_eq!(buckets(&all[facet]), expected(there), "{facet}");
        assert_eq!(all[facet]["bucketCount"], there.len(), "{facet}");
        assert_eq!(all[facet]["resourcesInRest"], 0, "{facet}");
        let rest: i64 = there.iter().skip(1).map(|(_, count)| count).sum();
        assert_eq!(buckets(&two[facet]), expected(&there[..1]), "{facet}");
        assert_eq!(two[facet]["bucketCount"], there.len(), "{facet}");
        assert_eq!(two[facet]["resourcesInRest"], rest, "{facet}");
    }
    Ok(())
}

#[tokio::test]
async fn each_bucket_has_what_the_filter_and_its_value_let_through() -> Result<()> {
    let world = world().await?;
    for (filter, search) in [
        (json!({}), json!(null)),
        (json!({ "presence": "ANY" }), json!(null)),
        (json!({ "presence": "DELETED" }), json!(null)),
        (json!({ "tags": [{ "name": "env", "match": "PRESENT" }] }), json!(null)),
        (json!({ "or": [{ "tagging": "UNTAGGED" }, { "nameContains": "web" }] }), json!("rg")),
        (json!({ "subscriptions": [world.ids["second"]] }), json!(null)),
        (json!({ "types": [] }), json!(null)),
    ] {
        let facets = facets(&world, world.viewer, json!({ "filter": filter, "search": search })).await?;

        for (facet, field) in
            [("types", "types"), ("locations", "locations"), ("resourceGroups", "resourceGroups")]
        {
            for (value, count) in buckets(&facets[facet]) {
                assert_eq!(
                    total(&world, &filter, &search, json!({ field: [value] })).await?,
                    count,
                    "{facet}"
                );
            }
        }
        for (value, count) in buckets(&facets["tagNames"]) {
            let tagged = json!({ "tags": [{ "name": value, "match": "PRESENT" }] });
            assert_eq!(total(&world, &filter, &search, tagged).await?, count, "{value} of {filter}");
        }
        for (value, count) in buckets(&facets["env"]) {
            let tagged = json!({ "tags": [{ "name": "env", "value": value }] });
            assert_eq!(total(&world, &filter, &search, tagged).await?, count, "{value} of {filter}");
        }
        assert_eq!(facets["resourceCount"], total(&world, &filter, &search, json!({})).await?, "{filter}");
    }
    Ok(())
}

async fn total(world: &World, filter: &Value, search: &Value, bucket: Value) -> Result<i64> {
    let mut filter = filter.clone();
    filter["and"] = json!([bucket]);
    let query = "query($filter: ResourceFilter, $search: String) {
        resources(filter: $filter, search: $search) { totalCount } }";
    let data = world.stage.ask(world.viewer, query, json!({ "filter": filter, "search": search })).await?;
    data["resources"]["totalCount"].as_i64().context("no count")
}

#[tokio::test]
async fn what_is_written_is_counted_at_once_and_what_was_counted_is_not_counted_again() -> Result<()> {
    let world = world().await?;
    let query = "{ resourceFacets { types { buckets { value resourceCount } } } }";
    let types = async || -> Result<Vec<(String, i64)>> {
        let data = world.stage.ask(world.viewer, query, json!({})).await?;
        Ok(buckets(&data["resourceFacets"]["types"]))
    };
    let statements = || world.stage.statements().len();
    let (disks, vms) = ("microsoft.compute/disks", "microsoft.compute/virtualmachines");
    assert_eq!(types().await?, expected(&[(disks, 3), (vms, 2)]));
    statements();

    let again = types().await?;
    let asked_again = statements();
    let gone = resource::ActiveModel { deleted_at: Set(Some(world.stage.clock.now())), ..Default::default() };
    let web = resource::Entity::update_many().set(gone).filter(Column::Name.eq("web-02"));
    web.exec(&world.stage.database).await?;
    let marked = types().await?;
    let tenant = world.stage.tenant(world.viewer).await?;
    let third = world.stage.subscription(&tenant, "third").await?;
    let new = Given { name: "new", resource_type: vms, ..Given::default() };
    world.stage.resources(&third, &[new]).await?;
    let added = types().await?;
    let removed = resource::Entity::delete_many().filter(Column::SubscriptionId.eq(third.id));
    removed.exec(&world.stage.database).await?;
    let removed = types().await?;

    assert_eq!(
        (again, asked_again),
        (expected(&[(disks, 3), (vms, 2)]), 1),
        "the versions are all that is read"
    );
    assert_eq!(marked, expected(&[(disks, 3), (vms, 1)]));
    assert_eq!(added, expected(&[(disks, 3), (vms, 2)]));
    assert_eq!(removed, expected(&[(disks, 3), (vms, 1)]));
    Ok(())
}

#[tokio::test]
async fn more_subscriptions_than_one_statement_counts_are_counted_all_the_same() -> Result<()> {
    let world = world().await?;
    let tenant = world.stage.tenant(world.viewer).await?;
    for _ in 0..230 {
        let subscription = world.stage.subscription(&tenant, "one of many").await?;
        let tagged = Given { name: "vm", resource_type: "a/b", tags: &[("Many", "x")], ..Given::default() };
        world.stage.resources(&subscription, &[tagged]).await?;
    }

    let all = facets(&world, world.viewer, json!({ "first": 1 })).await?;

    assert_eq!(all["resourceCount"], 235);
    assert_eq!(buckets(&all["types"]), expected(&[("a/b", 230)]));
    assert_eq!(buckets(&all["tagNames"]), expected(&[("many", 230)]));
    assert_eq!(all["subscriptions"]["bucketCount"], 232);
    Ok(())
}

#[tokio::test]
async fn who_is_limited_counts_what_it_reaches_also_after_others_have_counted() -> Result<()> {
    let world = world().await?;
    let id = |name: &str| -> Result<Uuid> {
        let id = world.ids[name].as_str().and_then(|id| id.split_once(':')).context("no id")?;
        Ok(id.1.parse()?)
    };
    let all = facets(&world, world.viewer, json!({})).await?;
    let reached = reach::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(world.viewer.organization_id),
        holder_id: Set(world.viewer.member_id),
        tenant_id: Set(id("second tenant")?),
        subscription_id: Set(Some(id("second")?)),
    };
    let reached = reached.insert(&world.stage.database).await?;
    let limited = Viewer { limited_by: Some(world.viewer.member_id), ..world.viewer };

    let one = facets(&world, limited, json!({})).await?;
    let everything = reach::ActiveModel { id: Set(reached.id), ..Default::default() };
    let first =
        reach::ActiveModel { tenant_id: Set(id("first tenant")?), subscription_id: Set(None), ..everything };
    first.update(&world.stage.database).await?;
    let other = facets(&world, limited, json!({})).await?;

    assert_eq!(buckets(&one["subscriptions"]), expected(&[("Second", 1)]));
    assert_eq!(buckets(&one["tagNames"]), []);
    assert_eq!(buckets(&other["subscriptions"]), expected(&[("first", 4)]));
    assert_eq!(facets(&world, world.viewer, json!({})).await?, all);
    Ok(())
}

#[tokio::test]
async fn names_that_differ_in_case_only_are_one_name_with_its_spellings() -> Result<()> {
    let world = world().await?;
    let query = "query($filter: ResourceFilter, $search: String, $first: Int, $after: String) {
        tagNames(filter: $filter, search: $search, first: $first, after: $after) {
          totalCount pageInfo { hasNextPage endCursor }
          nodes { name resourceCount valueCount spellings { name resourceCount } } } }";
    let ask = async |variables: Value| -> Result<Value> {
        Ok(world.stage.ask(world.viewer, query, variables).await?["tagNames"].take())
    };

    let all = ask(json!({})).await?;
    let first = ask(json!({ "first": 1 })).await?;
    let second = ask(json!({ "first": 1, "after": first["pageInfo"]["endCursor"] })).await?;
    let found = ask(json!({ "search": "NE" })).await?;
    let deleted = ask(json!({ "filter": { "presence": "DELETED" } })).await?;

    let spelled = |name: &str| json!({ "name": name, "resourceCount": 1 });
    let env = json!({ "name": "env", "resourceCount": 3, "valueCount": 3,
        "spellings": [spelled("ENV"), spelled("Env"), spelled("env")] });
    let owner =
        json!({ "name": "owner", "resourceCount": 1, "valueCount": 1, "spellings": [spelled("owner")] });
    let quoted = json!({ "name": "quote\"d", "resourceCount": 1, "valueCount": 1, "spellings": [spelled("quote\"d")] });
    assert_eq!(all["nodes"], json!([env, owner, quoted]));
    assert_eq!((&first["nodes"], &first["totalCount"]), (&json!([env]), &json!(3)));
    assert_eq!((&second["nodes"], &second["pageInfo"]["hasNextPage"]), (&json!([owner]), &json!(true)));
    assert_eq!(found["nodes"], json!([owner]));
    assert_eq!(
        deleted["nodes"],
        json!([{ "name": "env", "resourceCount": 1, "valueCount": 1,
        "spellings": [spelled("env")] }])
    );
    Ok(())
}

#[tokio::test]
async fn coverage_says_who_has_all_none_and_each_of_the_tags() -> Result<()> {
    let world = world().await?;
    let query = "query($filter: ResourceFilter) { tagCoverage(filter: $filter, names: [\"ENV\", \"owner\", \"nowhere\"]) {
        total { resourceCount withAll withNone tags { name resourceCount } }
        bySubscription: groups { totalCount nodes { subscription { displayName } resourceGroup
          coverage { resourceCount withNone } } }
        byGroup: groups(by: RESOURCE_GROUP) { totalCount nodes { subscription { displayName } resourceGroup
          coverage { resourceCount withNone tags { resourceCount } } } } } }";

    let all = world.stage.ask(world.viewer, query, json!({})).await?["tagCoverage"].take();
    let tagged =
        world.stage.ask(world.viewer, query, json!({ "filter": { "tagging": "TAGGED" } })).await?["tagCoverage"].take();

    let tag = |name: &str, count: i64| json!({ "name": name, "resourceCount": count });
    assert_eq!(
        all["total"],
        json!({ "resourceCount": 5, "withAll": 0, "withNone": 2,
            "tags": [tag("ENV", 3), tag("owner", 1), tag("nowhere", 0)] })
    );
    assert_eq!(tagged["total"]["resourceCount"], 3);
    assert_eq!(tagged["total"]["withNone"], 0);
    assert_eq!(all["bySubscription"]["totalCount"], 2);
    let first = json!({ "displayName": "first" });
    let group = |name: &str, resources: i64, none: i64, with: [i64; 3]| {
        let tags = with.map(|count| json!({ "resourceCount": count }));
        json!({ "subscription": first, "resourceGroup": name,
            "coverage": { "resourceCount": resources, "withNone": none, "tags": tags } })
    };
    let groups = all["byGroup"]["nodes"].as_array().context("no groups")?;
    assert_eq!(groups[1..], [group("rg-data", 2, 1, [1, 0, 0]), group("rg-web", 2, 0, [2, 1, 0])]);
    assert_eq!(groups[0]["subscription"]["displayName"], "Second");
    assert_eq!(all["bySubscription"]["nodes"][0]["resourceGroup"], json!(null));
    Ok(())
}
