//! How many pages of 50 resources the api answers in a second over 200,000 of them, beside the same SQL
//! statements sent directly to the same PostgreSQL.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use support::cloud::Cloud;
use support::figures::{Figure, percentile, rate};
use support::ground::{CONNECTIONS, Ground};
use support::load::{FrontEnd, load};

const RESOURCES: u64 = 200_000;

/// How long each side is measured, after a while in which caches fill.
const LENGTH: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(2);

const QUERY: &str =
    "{ resources(first: 50) { nodes { name tags { name value } subscription { displayName } } } }";

#[tokio::main]
async fn main() -> Result<()> {
    let resources = RESOURCES.to_string();
    let ground =
        Ground::prepare(Cloud::start(&["--subscriptions", "100", "--resources", &resources])?).await?;
    let scan = ground.scan().await?;
    ensure!(scan.seen == RESOURCES, "saw {} resources", scan.seen);
    sqlx::query("vacuum analyze").execute(ground.database().get_postgres_connection_pool()).await?;

    let statements = statements(&ground).await?;
    let url = ground.postgres.url();
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url.expose_secret()).await?;
    let front_end = FrontEnd::start(&ground, ground.database().clone())?;
    let what = format!("page of 50 resources with tags and subscription, {} statements", statements.len());
    let mut ours = load(WARM_UP, LENGTH, move || front_end.clone().read(QUERY.to_owned())).await?;
    let mut direct = load(WARM_UP, LENGTH, move || run(pool.clone(), Arc::clone(&statements))).await?;

    let whose = "the same statements through sqlx";
    let per_second = |times: &[Duration]| rate(times.len() as u64, LENGTH);
    let (ours_rate, direct_rate) = (per_second(&ours), per_second(&direct));
    Figure { what: &what, unit: "requests/s", ours: ours_rate, theirs: direct_rate, whose }.print();
    for percent in [50, 99] {
        let what = format!("the same, {percent} of 100 within");
        let (ours, theirs) = (percentile(&mut ours, percent), percentile(&mut direct, percent));
        Figure { what: &what, unit: "ms", ours, theirs, whose }.print();
    }
    Ok(())
}

/// What one request asks of the database.
async fn statements(ground: &Ground) -> Result<Arc<Vec<String>>> {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&sent);
    let mut database = migration::connect(ground.postgres.url().expose_secret(), 1).await?;
    database.set_metric_callback(move |info| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(info.statement.to_string());
    });
    let answer: Value = FrontEnd::start(ground, database)?.ask(QUERY).await?;
    let rows = answer["data"]["resources"]["nodes"].as_array().map_or(0, Vec::len);
    ensure!(rows == 50, "a page has {rows} rows: {answer}");
    let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Arc::new(sent))
}

async fn run(pool: PgPool, statements: Arc<Vec<String>>) -> Result<()> {
    for statement in &*statements {
        sqlx::query(AssertSqlSafe(statement.as_str())).fetch_all(&pool).await?;
    }
    Ok(())
}
