//! How long a page of resources with a tag, and facets, take at 16 connections over 100,000 and over 1,000,000
//! resources with five tags each, beside the limits that were set for them; and what facets take when nothing has been
//! counted yet, and while resources change.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::Value;
use support::cloud::Cloud;
use support::figures::{Figure, percentile};
use support::ground::Ground;
use support::load::{FrontEnd, load_by};
use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;

const SUBSCRIPTIONS: u32 = 100;

/// Resources of each subscription: at first, and in the end.
const FEW: u32 = 1_000;
const MANY: u32 = 10_000;

const CLIENTS: usize = 16;

/// How long each query is asked, after a while in which caches fill.
const LENGTH: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(2);

/// In milliseconds, 99 of 100 within; and how much longer a page may take when there are ten times as many.
const PAGE: f64 = 50.0;
const FACETS: f64 = 250.0;
const GROWTH: f64 = 1.5;

/// How often a resource gets another tag while facets are asked for.
const CHANGE: Duration = Duration::from_millis(500);

/// The resources from one number to another of each subscription. The same number is the same resource.
fn fill(from: u32, to: u32) -> String {
    format!(
        "insert into resource (id, organization_id, subscription_id, arm_id, name, resource_type, location,
           resource_group, sku, tags, tag_terms, content_hash, first_seen_at, changed_at)
         select gen_random_uuid(), organization_id, subscription_id,
           '/subscriptions/' || azure_id || '/resourceGroups/rg-' || h % 50 || '/providers/r-' || n, 'r-' || g || '-' || n,
           'microsoft.test/type' || g % 60, 'region' || h % 12, 'rg-' || h % 50, 'S' || g % 5,
           jsonb_build_object(cost_name, cost, 'env', env, 'owner', owner, 'app', app, 'Batch', batch),
           jsonb_build_array('costcenter', E'costcenter\\n' || cost, 'env', E'env\\n' || env, 'owner',
             E'owner\\n' || owner, 'app', E'app\\n' || app, 'batch', E'batch\\n' || batch),
           0, now(), now()
         from (select organization_id, subscription.id as subscription_id, azure_subscription_id as azure_id, n,
                 hashtext(azure_subscription_id::text || n) & 2147483647 as g,
                 hashtext(n || azure_subscription_id::text) & 2147483647 as h
               from subscription cross join generate_series({from} + 1, {to}) as n) as number
         cross join lateral (select
           case when g % 10 = 0 then 'costcenter' else 'CostCenter' end as cost_name, 'CC-' || h % 200 as cost,
           case when h % 100 < 50 then 'prod' when h % 100 < 75 then 'test' when h % 100 < 95 then 'dev'
             else 'stage' end as env,
           'owner-' || g % 10000 as owner, 'app-' || h % 2000 as app, 'b-' || g % 20 as batch) as tag"
    )
}

#[tokio::main]
async fn main() -> Result<()> {
    let subscriptions = SUBSCRIPTIONS.to_string();
    let ground =
        Ground::prepare(Cloud::start(&["--subscriptions", &subscriptions, "--resources", "100"])?).await?;
    let database = ground.database();
    let front_end = FrontEnd::start(&ground, database.clone())?;

    let mut pages = Vec::new();
    for (from, to) in [(0, FEW), (FEW, MANY)] {
        database.execute_unprepared(&fill(from, to)).await?;
        database.execute_unprepared("vacuum analyze").await?;
        let count = SUBSCRIPTIONS * to;
        let found = front_end.ask("{ resources(first: 0) { totalCount } }").await?;
        ensure!(found["data"]["resources"]["totalCount"] == count, "{found}");
        pages.push(measure_pages(&front_end, count).await?);
        measure_facets(&front_end, count, database).await?;
    }
    for ((what, few), (_, many)) in pages[0].iter().zip(&pages[1]) {
        let what = format!("{what}: of 1,000,000 beside of 100,000, half of the pages within");
        Figure { what: &what, unit: "times", ours: many / few, theirs: GROWTH, whose: "limit" }.print();
    }
    Ok(())
}

/// What half of the pages take, by what is asked for.
async fn measure_pages(front_end: &FrontEnd, count: u32) -> Result<Vec<(String, f64)>> {
    let mut medians = Vec::new();
    for (share, tag) in [
        ("50 %", "{ name: \"ENV\", value: \"prod\" }"),
        ("5 %", "{ name: \"batch\", value: \"b-7\" }"),
        ("0.5 %", "{ name: \"costcenter\", value: \"CC-7\" }"),
        ("0.01 %", "{ name: \"owner\", value: \"owner-7\" }"),
    ] {
        let query = format!(
            "{{ resources(first: 50, filter: {{ tags: [{tag}] }}) {{
               nodes {{ name tags {{ name value }} subscription {{ displayName }} }} }} }}"
        );
        let answer = front_end.ask(&query).await?;
        ensure!(answer["data"]["resources"]["nodes"][0]["name"].is_string(), "{answer}");
        let what = format!("page of 50 of {count} with a tag of {share}");
        let mut times = ask(front_end, query).await?;
        limit(&what, &mut times, PAGE);
        medians.push((format!("page of 50 with a tag of {share}"), percentile(&mut times, 50)));
    }
    Ok(medians)
}

async fn measure_facets(front_end: &FrontEnd, count: u32, database: &DatabaseConnection) -> Result<()> {
    for (which, filter) in [
        ("all", "{}"),
        ("those with a tag of 5 %", "{ tags: [{ name: \"batch\", value: \"b-7\" }] }"),
        (
            "those with a tag of 0.5 % or of 0.01 %",
            "{ or: [{ tags: [{ name: \"costcenter\", value: \"CC-7\" }] },
            { tags: [{ name: \"owner\", value: \"owner-7\" }] }] }",
        ),
    ] {
        let query = facets(filter);
        let begun = Instant::now();
        let answer = front_end.ask(&query).await?;
        let first = begun.elapsed();
        let counted = &answer["data"]["resourceFacets"];
        ensure!(counted["tagNames"]["bucketCount"] == 5, "{answer}");
        let what = format!("six facets of {which} of {count}");
        let ours = first.as_secs_f64() * 1_000.0;
        let whose = "limit of those after";
        Figure { what: &format!("{what}, the first time"), unit: "ms", ours, theirs: FACETS, whose }.print();
        limit(&what, &mut ask(front_end, query.clone()).await?, FACETS);
        let changes = AbortOnDropHandle::new(tokio::spawn(change(database.clone())));
        limit(&format!("{what}, two resources changing a second"), &mut ask(front_end, query).await?, FACETS);
        ensure!(!changes.is_finished(), "no resource changes any more");
    }
    Ok(())
}

fn facets(filter: &str) -> String {
    let facet = "(first: 20) { bucketCount resourcesInRest buckets { value resourceCount } }";
    format!(
        "{{ resourceFacets(filter: {filter}) {{ resourceCount types{facet} locations{facet} resourceGroups{facet}
           tagNames{facet} tagValues(name: \"env\", first: 20) {{ buckets {{ value resourceCount }} }}
           subscriptions(first: 20) {{ buckets {{ resourceCount subscription {{ displayName }} }} }} }} }}"
    )
}

/// Gives one resource after the other another tag, as a scan or a write-back would.
async fn change(database: DatabaseConnection) -> Result<()> {
    let mut ticks = interval(CHANGE);
    for tick in 0.. {
        ticks.tick().await;
        let sku = format!(
            "update resource set sku = 'S{tick}' where id = (select id from resource where subscription_id =
               (select id from subscription order by id offset {} limit 1) limit 1)",
            tick % SUBSCRIPTIONS
        );
        database.execute_unprepared(&sku).await?;
    }
    Ok(())
}

async fn ask(front_end: &FrontEnd, query: String) -> Result<Vec<Duration>> {
    let answer: Value = front_end.ask(&query).await?;
    answer["data"].as_object().with_context(|| format!("refused: {answer}"))?;
    let front_end = front_end.clone();
    load_by(CLIENTS, WARM_UP, LENGTH, move || front_end.clone().read(query.clone())).await
}

fn limit(what: &str, times: &mut [Duration], theirs: f64) {
    let what = format!("{what}, 16 connections, 99 of 100 within");
    Figure { what: &what, unit: "ms", ours: percentile(times, 99), theirs, whose: "limit" }.print();
}
