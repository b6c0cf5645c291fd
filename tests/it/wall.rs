//! The second wall around an organization, with the first one removed: no statement here says whose rows it wants.
//! Only the distributed stack has PostgreSQL, and with it the wall; on the other one there is nothing to test.

mod http;
mod installation;
mod rows;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use migration::wall::{self, Standing, within};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use secrecy::ExposeSecret;
use support::database::TestDatabase;
use support::stack::Stack;
use uuid::Uuid;

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

/// A database with a row of both organizations in every table, behind the wall. None: there is no wall to test.
async fn walled() -> Result<Option<TestDatabase>> {
    walled_with(&[]).await
}

/// One that also holds what `more` inserts.
async fn walled_with(more: &[&str]) -> Result<Option<TestDatabase>> {
    if Stack::chosen() == Stack::Embedded {
        return Ok(None);
    }
    let mut home = TestDatabase::start(Stack::Distributed).await?;
    let superuser = home.connect().await?;
    rows::fill(&superuser, &[A, B], more).await?;
    superuser.close().await?;
    home.raise_wall().await?;
    Ok(Some(home))
}

/// Whose rows a table shows.
async fn shown(database: &impl ConnectionTrait, table: &str, column: &str) -> Result<BTreeSet<Uuid>> {
    let statement = format!("select {column} from {table}");
    let rows = database.query_all_raw(Statement::from_string(DbBackend::Postgres, statement)).await?;
    Ok(rows.iter().map(|row| row.try_get_by(0)).collect::<Result<_, _>>()?)
}

async fn tenants(database: &impl ConnectionTrait) -> Result<BTreeSet<Uuid>> {
    shown(database, "tenant", "organization_id").await
}

fn is_refused_by_the_wall(done: &Result<u64, DbErr>) -> bool {
    done.as_ref().is_err_and(|error| error.to_string().contains("violates row-level security policy"))
}

async fn execute(database: &impl ConnectionTrait, statement: &str) -> Result<u64, DbErr> {
    database.execute_unprepared(statement).await.map(|done| done.rows_affected())
}

#[tokio::test]
async fn a_query_of_any_table_shows_only_the_viewers_rows() -> Result<()> {
    let Some(home) = walled().await? else { return Ok(()) };
    let database = home.connect().await?;

    for table in rows::tables(&database).await? {
        let Some(column) = table.organization else { continue };
        for viewers in [A, B] {
            let seen = within(Some(viewers), shown(&database, &table.name, column)).await?;
            assert_eq!(seen, BTreeSet::from([viewers]), "{}", table.name);
        }
        let seen = within(Some(Uuid::from_u128(0xc)), shown(&database, &table.name, column)).await?;
        assert_eq!(seen, BTreeSet::new(), "{}", table.name);
        let seen = shown(&database, &table.name, column).await?;
        assert_eq!(seen, BTreeSet::from([A, B]), "{}: jobs see everything", table.name);
    }
    Ok(())
}

#[tokio::test]
async fn a_row_of_another_organization_can_be_stored_in_no_table() -> Result<()> {
    let Some(home) = walled().await? else { return Ok(()) };
    let database = home.connect().await?;

    for table in rows::tables(&database).await?.iter().filter(|table| table.organization.is_some()) {
        // A trigger might refuse it for another reason before the wall does.
        execute(&database, &format!("alter table {} disable trigger user", table.name)).await?;
        let stored = within(Some(A), execute(&database, &table.insert(B)?)).await;
        assert!(is_refused_by_the_wall(&stored), "{}: {stored:?}", table.name);
    }
    Ok(())
}

#[tokio::test]
async fn a_row_of_another_organization_can_be_neither_changed_nor_deleted() -> Result<()> {
    let Some(home) = walled().await? else { return Ok(()) };
    let database = home.connect().await?;
    let rename = "update organization set name = 'renamed'";
    let give_away = format!("update organization set id = '{B}'");

    assert_eq!(within(Some(A), execute(&database, rename)).await?, 1);
    let given = within(Some(A), execute(&database, &give_away)).await;
    assert!(is_refused_by_the_wall(&given), "{given:?}");
    assert_eq!(within(Some(A), execute(&database, "delete from role_assignment")).await?, 1);

    assert_eq!(shown(&database, "role_assignment", "organization_id").await?, BTreeSet::from([B]));
    Ok(())
}

#[tokio::test]
async fn a_connection_forgets_for_whom_it_worked_before() -> Result<()> {
    let Some(home) = walled().await? else { return Ok(()) };
    let database = migration::connect(home.url().expose_secret(), 1).await?;

    for _ in 0..2 {
        assert_eq!(within(Some(A), tenants(&database)).await?, BTreeSet::from([A]));
        assert_eq!(within(Some(B), tenants(&database)).await?, BTreeSet::from([B]));
        let rolled_back = within(Some(A), async {
            let transaction = worker::transaction::begin(&database).await?;
            let seen = tenants(&transaction).await?;
            // Dropped as by a resolver that fails, with what it had begun.
            drop(transaction);
            Ok::<_, anyhow::Error>(seen)
        });
        assert_eq!(rolled_back.await?, BTreeSet::from([A]));
        let failed = within(Some(A), execute(&database, "select 1 / 0")).await;
        ensure!(failed.is_err(), "it divided by zero");
        assert_eq!(tenants(&database).await?, BTreeSet::from([A, B]));
        assert_eq!(within(None, tenants(&database)).await?, BTreeSet::from([A, B]));
    }
    Ok(())
}

#[tokio::test]
async fn of_many_viewers_at_once_each_sees_its_own() -> Result<()> {
    let Some(home) = walled().await? else { return Ok(()) };
    // Nobody has used it yet: every connection is a fresh one when it is first handed out.
    let database = home.connect().await?;

    let look = async |viewers: Option<Uuid>| {
        let seen = within(viewers, tenants(&database)).await?;
        anyhow::Ok((viewers, seen))
    };
    let looks = [Some(A), Some(B), None].into_iter().cycle().take(300).map(look);

    for (viewers, seen) in try_join_all(looks).await? {
        let wanted = viewers.map_or(BTreeSet::from([A, B]), |organization| BTreeSet::from([organization]));
        assert_eq!(seen, wanted);
    }
    Ok(())
}

#[tokio::test]
async fn every_table_of_an_organization_is_behind_the_wall_and_every_new_one() -> Result<()> {
    let Some(home) = walled().await? else { return Ok(()) };
    let database = home.connect().await?;
    let outside = async |database: &DatabaseConnection| {
        let bare = "select relname::text from pg_class where relnamespace = 'public'::regnamespace \
                    and relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity) order by 1";
        let rows = database.query_all_raw(Statement::from_string(DbBackend::Postgres, bare)).await?;
        rows.iter().map(|row| row.try_get_by(0)).collect::<Result<Vec<String>, DbErr>>()
    };
    // A table without `organization_id` belongs here if it says nothing of any organization.
    assert_eq!(outside(&database).await?, ["data_key", "seaql_migrations", "taggable_type"]);

    execute(&database, "create table novelty (organization_id uuid not null)").await?;
    assert_eq!(wall::standing(&database).await?.map(|standing| standing.is_raised), Some(false));
    migration::migrate(&database).await?;

    assert_eq!(outside(&database).await?, ["data_key", "seaql_migrations", "taggable_type"]);
    assert_eq!(wall::standing(&database).await?.map(|standing| standing.is_raised), Some(true));
    Ok(())
}

#[tokio::test]
async fn it_says_how_it_stands_and_goes_as_it_came() -> Result<()> {
    if Stack::chosen() == Stack::Embedded {
        let home = TestDatabase::start(Stack::Embedded).await?;
        assert_eq!(wall::standing(&home.connect().await?).await?, None);
        return Ok(());
    }
    let mut home = TestDatabase::start(Stack::Distributed).await?;
    let superuser = home.connect().await?;
    let before = Standing { is_raised: false, is_exempt: true, is_marked: false };
    assert_eq!(wall::standing(&superuser).await?, Some(before));

    home.raise_wall().await?;
    home.mark().await?;
    let database = home.connect().await?;
    wall::raise(&database).await?;
    let raised = Standing { is_raised: true, is_exempt: false, is_marked: true };
    assert_eq!(wall::standing(&database).await?, Some(raised));
    assert_eq!(wall::standing(&superuser).await?, Some(Standing { is_exempt: true, ..raised }));

    wall::lower(&database).await?;
    wall::lower(&database).await?;
    migration::migrate(&database).await?;
    assert_eq!(wall::standing(&database).await?, Some(Standing { is_raised: false, ..raised }));
    Ok(())
}

/// As many resources as it takes for an index to be worth while: all like those that are there.
const MANY_RESOURCES: &str = "insert into resource
    select (jsonb_populate_record(one, jsonb_build_object('id', gen_random_uuid(), 'name', number::text))).*
    from resource one, generate_series(1, 5000) number";

/// How the database would run `statement` for a viewer.
async fn plan(database: &DatabaseConnection, statement: &str) -> Result<String> {
    let explained = within(Some(A), async {
        let explain = Statement::from_string(DbBackend::Postgres, format!("explain {statement}"));
        database.query_all_raw(explain).await
    });
    let lines: Vec<String> =
        explained.await?.iter().map(|row| row.try_get_by(0)).collect::<Result<_, _>>()?;
    Ok(lines.join("\n"))
}

#[tokio::test]
async fn a_marked_database_looks_behind_the_wall_by_its_indexes() -> Result<()> {
    let Some(home) = walled_with(&[MANY_RESOURCES, "analyze resource"]).await? else { return Ok(()) };
    let database = home.connect().await?;
    let tagged = "select id from resource where deleted_at is null and tag_terms @> '[\"env\"]'";
    let later = format!(
        "select id from resource where organization_id = '{A}' and deleted_at is null \
           and (lower(name collate \"C\"), id) > ('m', '{A}') order by lower(name collate \"C\"), id limit 51"
    );
    let plans = async || {
        let tags = plan(&database, tagged).await?;
        anyhow::Ok((tags, plan(&database, &later).await?))
    };
    let is_sought =
        |plan: &str| plan.lines().any(|line| line.contains("Index Cond") && line.contains("ROW(lower("));

    let (tags, names) = plans().await?;
    assert!(!tags.contains("resource_tag_terms") && !is_sought(&names), "{tags}\n{names}");
    home.mark().await?;
    let (tags, names) = plans().await?;

    assert!(tags.contains("resource_tag_terms"), "{tags}");
    assert!(names.contains("resource_listed") && is_sought(&names), "{names}");
    Ok(())
}
