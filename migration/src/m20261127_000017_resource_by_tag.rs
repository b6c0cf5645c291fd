//! What pages of resources with a tag need on `PostgreSQL`: for each tag with its value, the resources in the order of
//! their names. An index over many values of a row, such as `GIN`, knows no order.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};
use sea_orm_migration::sea_orm::DbBackend;

use super::m20261126_000012_facets::run;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What happens to resources, and what the rows are called as they were and as they are.
const CHANGES: [(&str, &str); 3] = [
    ("insert", "referencing new table as new_rows"),
    ("update", "referencing old table as old_rows new table as new_rows"),
    ("delete", "referencing old table as old_rows"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let functions = CHANGES.map(|(change, _)| function(change));
        let triggers = CHANGES.map(|(change, rows)| {
            format!(
                "create trigger resource_by_tag_{change} after {change} on resource {rows} \
                 for each statement execute function order_by_tag_{change}()"
            )
        });
        let fill = format!("insert into resource_by_tag {} order by 2, 3, 4", entries("resource"));
        run(manager, [TABLE.to_owned(), KEY.to_owned()]).await?;
        run(manager, functions.into_iter().chain(triggers)).await?;
        // After the triggers, which wait for whoever is writing; the key afterwards, which is quicker.
        run(manager, [fill, PRIMARY_KEY.to_owned()]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let triggers =
            CHANGES.map(|(change, _)| format!("drop trigger resource_by_tag_{change} on resource"));
        let functions = CHANGES.map(|(change, _)| format!("drop function order_by_tag_{change}()"));
        run(manager, triggers.into_iter().chain(functions)).await?;
        run(manager, ["drop function tag_key(uuid, text)", "drop table resource_by_tag"].map(str::to_owned))
            .await
    }
}

/// Names compare as resources are listed by them.
const TABLE: &str = "create table resource_by_tag ( \
    organization_id uuid not null, tag bigint not null, name text collate \"C\" not null, resource_id uuid not null)";

const PRIMARY_KEY: &str = "alter table resource_by_tag add primary key (tag, name, resource_id)";

/// An organization's tag with its value, in eight bytes, since there is one for each tag of each resource: a page takes
/// only resources that really have the tag.
const KEY: &str = "create function tag_key(organization_id uuid, term text) returns bigint \
    language sql immutable strict parallel safe \
    as $$ select hashtextextended(organization_id::text || term, 0) $$";

/// An entry for each value of a tag, of the resources in `rows` that are still there. Two spellings of a name may be
/// one term.
fn entries(rows: &str) -> String {
    format!(
        "select distinct organization_id, tag_key(organization_id, term), lower(name collate \"C\"), id \
         from {rows} cross join lateral jsonb_array_elements_text(tag_terms) as term \
         where deleted_at is null and strpos(term, E'\\n') > 0"
    )
}

/// Writes only what differs, neighbours together. Nobody else writes the same entries meanwhile: whoever writes a
/// resource's has its row. What is removed is always sought by the key: the plan is kept for as
/// long as the connection, and may have been made when there was next to nothing.
fn function(change: &str) -> String {
    let (was, is) = (entries("old_rows"), entries("new_rows"));
    let remove = |entries: &str| {
        format!(
            "delete from resource_by_tag known using ({entries}) as gone (organization_id, tag, name, id) \
             where known.tag = gone.tag and known.name = gone.name and known.resource_id = gone.id; "
        )
    };
    let add = |entries: &str| format!("insert into resource_by_tag {entries} order by 2, 3, 4; ");
    let work = match change {
        "insert" => add(&is),
        "delete" => remove(&was),
        _ => remove(&format!("{was} except {is}")) + &add(&format!("{is} except {was}")),
    };
    format!(
        "create function order_by_tag_{change}() returns trigger language plpgsql \
         set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off \
         as $$ begin {work} return null; end $$"
    )
}
