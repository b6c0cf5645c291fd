//! What the second wall around an organization costs its readers: pages and counts of 200,000 resources behind it,
//! beside the same ones in the same run without it; with and without the marks that let indexes be used.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use migration::wall::{self, MARKS};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use support::cloud::Cloud;
use support::database::owned;
use support::figures::{Figure, of, rate};
use support::ground::{CONNECTIONS, Ground};
use support::load::{FrontEnd, load};

const RESOURCES: u64 = 200_000;

/// How long each state is measured, each time that its turn comes. The turns are short, so that what else the
/// machine does meanwhile hits all states alike.
const LENGTH: Duration = Duration::from_millis(1_500);
const WARM_UP: Duration = Duration::from_millis(500);
const ROUNDS: u32 = 5;

/// How often a connection is handed out to see how long that takes.
const HANDED_OUT: u32 = 10_000;

/// A tag of 1 in 10,000 resources, of 5 %, and of half of them.
const TAG: &str =
    "with place as (select id, ('x' || substr(md5(id::text), 1, 6))::bit(24)::int as at from resource)
    update resource set tag_terms = tag_terms
      || case when at % 10000 = 0 then '[\"rare\"]'::jsonb else '[]' end
      || case when at % 20 = 0 then '[\"five\"]'::jsonb else '[]' end
      || case when at % 2 = 0 then '[\"common\"]'::jsonb else '[]' end
    from place where place.id = resource.id";

/// How the wall stands while a shape is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    None,
    Unmarked,
    Marked,
}

#[tokio::main]
async fn main() -> Result<()> {
    let resources = RESOURCES.to_string();
    let ground =
        Ground::prepare(Cloud::start(&["--subscriptions", "100", "--resources", &resources])?).await?;
    let scan = ground.scan().await?;
    ensure!(scan.seen == RESOURCES, "saw {} resources", scan.seen);
    let superuser = ground.database();
    superuser.execute_unprepared(TAG).await?;
    superuser.execute_unprepared("vacuum full analyze").await?;
    let url = owned(&ground.postgres.url()).await?;
    let owner = migration::connect(url.expose_secret(), CONNECTIONS).await?;
    let front_end = FrontEnd::start(&ground, owner.clone())?;

    hand_out(&owner, &url).await?;
    for (what, query) in shapes(&front_end).await? {
        let rates = measure(&front_end, &owner, superuser, &query).await?;
        for (state, behind) in [("marked", rates[2]), ("not marked", rates[1])] {
            let what = format!("{what}, behind the wall, {state}");
            Figure { what: &what, unit: "requests/s", ours: behind, theirs: rates[0], whose: "without it" }
                .print();
        }
    }
    Ok(())
}

/// The rates of a query in each state, over all rounds.
async fn measure(
    front_end: &FrontEnd,
    owner: &DatabaseConnection,
    superuser: &DatabaseConnection,
    query: &str,
) -> Result<[f64; 3]> {
    let mut counts = [0; 3];
    for _ in 0..ROUNDS {
        for (count, state) in counts.iter_mut().zip([State::None, State::Unmarked, State::Marked]) {
            put(state, owner, superuser).await?;
            let (front_end, query) = (front_end.clone(), query.to_owned());
            let times = load(WARM_UP, LENGTH, move || front_end.clone().read(query.clone())).await?;
            *count += times.len() as u64;
        }
    }
    Ok(counts.map(|count| rate(count, LENGTH * ROUNDS)))
}

/// The marks go first: what is planned anew when the wall goes up is planned with them.
async fn put(state: State, owner: &DatabaseConnection, superuser: &DatabaseConnection) -> Result<()> {
    wall::lower(owner).await?;
    for mark in MARKS {
        let not = if state == State::Marked { "" } else { "not " };
        superuser.execute_unprepared(&mark.replace("leakproof", &format!("{not}leakproof"))).await?;
    }
    if state != State::None {
        wall::raise(owner).await?;
    }
    Ok(())
}

/// What front ends ask for.
async fn shapes(front_end: &FrontEnd) -> Result<Vec<(String, String)>> {
    let page = |arguments: &str| {
        format!(
            "{{ resources(first: 50{arguments}) {{
               nodes {{ name tags {{ name value }} subscription {{ displayName }} }} }} }}"
        )
    };
    let tagged = |name: &str| format!(", filter: {{ tags: [{{ name: \"{name}\", match: PRESENT }}] }}");
    let count = |arguments: &str| format!("{{ resources(first: 0{arguments}) {{ totalCount }} }}");
    let middle = middle(front_end).await?;
    let shapes = [
        ("page of 50", page("")),
        ("page of 50 in the middle", page(&format!(", after: \"{middle}\""))),
        ("page of 50 with a tag of 0.01 %", page(&tagged("rare"))),
        ("page of 50 with a tag of 5 %", page(&tagged("five"))),
        ("page of 50 with a tag of 50 %", page(&tagged("common"))),
        ("count of all", count("")),
        ("count of those with a tag of 0.01 %", count(&tagged("rare"))),
        ("count of those with a tag of 5 %", count(&tagged("five"))),
    ];
    Ok(shapes.map(|(what, query)| (what.to_owned(), query)).into())
}

/// The cursor in the middle of the list.
async fn middle(front_end: &FrontEnd) -> Result<String> {
    let mut arguments = String::new();
    let mut cursor = String::new();
    for _ in 0..RESOURCES / 2 / 500 {
        let query = format!("{{ resources(first: 500{arguments}) {{ pageInfo {{ endCursor }} }} }}");
        let answer = front_end.ask(&query).await?;
        let end = &answer["data"]["resources"]["pageInfo"]["endCursor"];
        end.as_str().with_context(|| format!("no cursor: {answer}"))?.clone_into(&mut cursor);
        arguments = format!(", after: \"{cursor}\"");
    }
    Ok(cursor)
}

/// What it costs that a connection is told for whom it works, where others are only asked whether they live.
async fn hand_out(owner: &DatabaseConnection, url: &SecretString) -> Result<()> {
    let asked = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url.expose_secret()).await?;
    let mut times = [Duration::ZERO; 2];
    for _ in 0..ROUNDS {
        for (time, pool) in times.iter_mut().zip([owner.get_postgres_connection_pool(), &asked]) {
            *time += handed_out(pool).await?;
        }
    }
    let [told, asked] =
        times.map(|time| time.as_secs_f64() * 1_000_000.0 / of(u64::from(ROUNDS * HANDED_OUT)));
    let what = "handing out a connection that is told for whom";
    Figure { what, unit: "microseconds", ours: told, theirs: asked, whose: "one that is pinged" }.print();
    Ok(())
}

async fn handed_out(pool: &PgPool) -> Result<Duration> {
    let begun = Instant::now();
    for _ in 0..HANDED_OUT {
        drop(pool.acquire().await?);
    }
    Ok(begun.elapsed())
}
