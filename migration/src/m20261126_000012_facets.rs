//! What counting needs: versions of the subscriptions' inventories, and more orders of resources.

use sea_orm_migration::prelude::{
    Alias, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use super::m20261124_000001_onboarding::{column, id, index};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What happens to resources, and what the rows are called to which it happened.
const CHANGES: [(&str, &str); 3] = [("insert", "new"), ("update", "new"), ("delete", "old")];

const INDEXES: [&str; 4] =
    ["resource_by_type", "resource_by_location", "resource_by_resource_group", "resource_by_arm_id"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Alias::new("inventory_version"))
            .col(column("subscription_id").uuid().not_null().primary_key())
            // Not checked, as that of the resources is not.
            .col(id("organization_id"))
            .col(column("version").big_integer().not_null())
            .to_owned();
        manager.create_table(table).await?;
        index(manager, "inventory_version", &["organization_id"]).await?;
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let mut statements = vec![
            "insert into inventory_version (subscription_id, organization_id, version) \
             select distinct subscription_id, organization_id, 1 from resource"
                .to_owned(),
        ];
        statements.extend(indexes(postgres));
        statements.extend(if postgres { triggers_of_postgres() } else { triggers_of_sqlite() });
        run(manager, statements).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let on_table =
            if manager.get_database_backend() == DbBackend::Postgres { " on resource" } else { "" };
        let triggers = CHANGES.map(|(change, _)| format!("drop trigger resource_{change}{on_table}"));
        run(manager, triggers).await?;
        if !on_table.is_empty() {
            run(manager, ["drop function move_inventory_version()".to_owned()]).await?;
        }
        run(manager, INDEXES.map(|index| format!("drop index {index}"))).await?;
        manager.drop_table(Table::drop().table(Alias::new("inventory_version")).to_owned()).await
    }
}

pub(crate) async fn run(
    manager: &SchemaManager<'_>,
    statements: impl IntoIterator<Item = String>,
) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// The orders, each of what is still there, and the ARM ids: those are long, and only ever compared whole.
fn indexes(postgres: bool) -> Vec<String> {
    let folded = |text: &str| {
        if postgres { format!("lower({text} collate \"C\")") } else { format!("lower({text})") }
    };
    let orders = ["resource_type", "coalesce(location, '')", "resource_group"];
    let orders = INDEXES.iter().zip(orders).map(|(index, text)| {
        let order = folded(text);
        format!("create index {index} on resource (organization_id, {order}, id) where deleted_at is null")
    });
    let arm_id = folded("arm_id");
    let arm_id = if postgres { format!("using hash ({arm_id})") } else { format!("({arm_id})") };
    orders.chain([format!("create index resource_by_arm_id on resource {arm_id}")]).collect()
}

/// Once for each statement, however many resources it writes; in the order of their ids, so that two that write
/// resources of the same subscriptions cannot wait for each other.
fn triggers_of_postgres() -> Vec<String> {
    let function = "create function move_inventory_version() returns trigger language plpgsql as $$ begin \
        insert into inventory_version (subscription_id, organization_id, version) \
        select distinct subscription_id, organization_id, 1 from written order by subscription_id \
        on conflict (subscription_id) do update set version = inventory_version.version + 1; \
        return null; end $$";
    let trigger = |(change, rows): (&str, &str)| {
        format!(
            "create trigger resource_{change} after {change} on resource referencing {rows} table as written \
             for each statement execute function move_inventory_version()"
        )
    };
    [function.to_owned()].into_iter().chain(CHANGES.map(trigger)).collect()
}

fn triggers_of_sqlite() -> Vec<String> {
    let trigger = |(change, row): (&str, &str)| {
        format!(
            "create trigger resource_{change} after {change} on resource for each row begin \
             insert into inventory_version (subscription_id, organization_id, version) \
             values ({row}.subscription_id, {row}.organization_id, 1) \
             on conflict (subscription_id) do update set version = inventory_version.version + 1; end"
        )
    };
    CHANGES.map(trigger).to_vec()
}
