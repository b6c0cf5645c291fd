//! Organizations, their tenants, consents, subscriptions, role assignments, resources and operations.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, Index, MigrationTrait,
    SchemaManager, Table, TableCreateStatement, async_trait,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in
            [organization(), member(), tenant(), consent(), subscription(), role_assignment(), operation()]
        {
            manager.create_table(table).await?;
        }
        manager.create_table(operation_step()).await?;
        manager.create_table(resource()).await?;
        unique(manager, "tenant", &["organization_id", "entra_tenant_id"]).await?;
        unique(manager, "consent", &["state_hash"]).await?;
        index(manager, "consent", &["state", "expires_at"]).await?;
        index(manager, "consent", &["organization_id", "created_at", "id"]).await?;
        unique(manager, "subscription", &["tenant_id", "azure_subscription_id"]).await?;
        unique(manager, "role_assignment", &["subscription_id", "arm_id"]).await?;
        index(manager, "operation", &["organization_id", "created_at", "id"]).await?;
        index(manager, "operation", &["state", "heartbeat_at"]).await?;
        index(manager, "operation", &["consent_id"]).await?;
        unique(manager, "operation_step", &["operation_id", "subscription_id"]).await?;
        index(manager, "resource", &["subscription_id"]).await?;
        listed_by_name(manager, "subscription", "display_name", "").await?;
        listed_by_name(manager, "resource", "name", "where deleted_at is null").await?;
        resource_indexes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let newest_first = [
            "resource",
            "operation_step",
            "operation",
            "role_assignment",
            "subscription",
            "consent",
            "tenant",
            "member",
            "organization",
        ];
        for table in newest_first {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}

pub(crate) fn column(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name))
}

pub(crate) fn id(name: &str) -> ColumnDef {
    column(name).uuid().not_null().to_owned()
}

pub(crate) fn text(name: &str) -> ColumnDef {
    column(name).text().not_null().to_owned()
}

pub(crate) fn json(name: &str) -> ColumnDef {
    column(name).json_binary().to_owned()
}

pub(crate) fn moment(name: &str) -> ColumnDef {
    column(name).timestamp_with_time_zone().to_owned()
}

fn count(name: &str) -> ColumnDef {
    column(name).big_integer().not_null().default(0).to_owned()
}

/// A table with an id of ours as its key.
pub(crate) fn table(name: &str) -> TableCreateStatement {
    Table::create().table(Alias::new(name)).col(column("id").uuid().not_null().primary_key()).to_owned()
}

/// A table whose rows belong to an organization and go with it.
pub(crate) fn owned_table(name: &str) -> TableCreateStatement {
    let mut table = table(name);
    table.col(id("organization_id"));
    belongs_to(&mut table, name, "organization_id", "organization");
    table
}

pub(crate) fn belongs_to(table: &mut TableCreateStatement, name: &str, from: &str, owner: &str) {
    table.foreign_key(
        ForeignKey::create()
            .from(Alias::new(name), Alias::new(from))
            .to(Alias::new(owner), Alias::new("id"))
            .on_delete(ForeignKeyAction::Cascade),
    );
}

fn organization() -> TableCreateStatement {
    table("organization").col(text("name")).col(moment("created_at").not_null()).to_owned()
}

fn member() -> TableCreateStatement {
    owned_table("member")
        .col(text("display_name"))
        .col(text("role"))
        .col(moment("created_at").not_null())
        .to_owned()
}

fn tenant() -> TableCreateStatement {
    owned_table("tenant")
        .col(id("entra_tenant_id"))
        .col(column("display_name").text())
        .col(column("default_domain").text())
        .col(text("state"))
        .col(json("failure"))
        .col(column("principal_id").uuid())
        .col(moment("created_at").not_null())
        .col(moment("updated_at").not_null())
        .to_owned()
}

fn consent() -> TableCreateStatement {
    let mut table = owned_table("consent");
    table
        .col(id("member_id"))
        .col(text("kind"))
        .col(id("entra_tenant_id"))
        .col(column("tenant_id").uuid())
        .col(text("state"))
        .col(json("failure"))
        .col(column("state_hash").binary().not_null())
        .col(column("browser_hash").binary())
        .col(column("sealed_request").binary())
        .col(column("sealed_token").binary())
        .col(column("consenting_user_id").uuid())
        .col(moment("created_at").not_null())
        .col(moment("expires_at").not_null())
        .col(moment("granted_at"))
        .col(moment("window_closes_at"))
        .col(moment("erased_at"));
    belongs_to(&mut table, "consent", "member_id", "member");
    belongs_to(&mut table, "consent", "tenant_id", "tenant");
    table
}

fn subscription() -> TableCreateStatement {
    let mut table = owned_table("subscription");
    table
        .col(id("tenant_id"))
        .col(id("azure_subscription_id"))
        .col(text("display_name"))
        .col(text("azure_state"))
        .col(text("access_level"))
        .col(count("resource_count"))
        .col(moment("scanned_at"))
        .col(json("stale"))
        .col(moment("created_at").not_null())
        .col(moment("updated_at").not_null());
    belongs_to(&mut table, "subscription", "tenant_id", "tenant");
    table
}

fn role_assignment() -> TableCreateStatement {
    let mut table = owned_table("role_assignment");
    table
        .col(id("subscription_id"))
        .col(text("arm_id"))
        .col(id("role_definition_id"))
        .col(id("principal_id"))
        .col(text("scope"))
        .col(text("origin"))
        .col(moment("created_at").not_null())
        .col(moment("verified_at"));
    belongs_to(&mut table, "role_assignment", "subscription_id", "subscription");
    table
}

fn operation() -> TableCreateStatement {
    let mut table = owned_table("operation");
    table
        .col(id("tenant_id"))
        .col(column("consent_id").uuid())
        .col(id("member_id"))
        .col(text("kind"))
        .col(text("state"))
        .col(column("discovered").boolean().not_null())
        .col(json("failure"))
        .col(moment("cancel_requested_at"))
        .col(moment("created_at").not_null())
        .col(moment("started_at"))
        .col(moment("finished_at"))
        .col(moment("deadline_at").not_null())
        .col(moment("heartbeat_at").not_null());
    belongs_to(&mut table, "operation", "tenant_id", "tenant");
    belongs_to(&mut table, "operation", "consent_id", "consent");
    belongs_to(&mut table, "operation", "member_id", "member");
    table
}

fn operation_step() -> TableCreateStatement {
    let mut table = owned_table("operation_step");
    table
        .col(id("operation_id"))
        .col(id("subscription_id"))
        .col(text("state"))
        .col(column("outcome").text())
        .col(json("failure"))
        .col(column("scanned").boolean().not_null())
        .col(count("resources_seen"))
        .col(count("resources_written"))
        .col(count("resources_deleted"))
        .col(moment("assigned_at"))
        .col(moment("updated_at").not_null());
    belongs_to(&mut table, "operation_step", "operation_id", "operation");
    belongs_to(&mut table, "operation_step", "subscription_id", "subscription");
    table
}

/// Its organization and subscription are not checked by foreign keys: a scan writes both from one row
/// that it just read, and two look-ups for each resource would be a tenth of its cost.
fn resource() -> TableCreateStatement {
    table("resource")
        .col(id("organization_id"))
        .col(id("subscription_id"))
        .col(text("arm_id"))
        .col(text("name"))
        .col(text("resource_type"))
        .col(column("kind").text())
        .col(column("location").text())
        .col(text("resource_group"))
        .col(column("sku").text())
        .col(column("managed_by").text())
        .col(json("tags").not_null())
        .col(json("tag_terms").not_null())
        .col(column("content_hash").big_integer().not_null())
        .col(moment("azure_created_at"))
        .col(moment("azure_changed_at"))
        .col(moment("first_seen_at").not_null())
        .col(moment("changed_at").not_null())
        .col(moment("deleted_at"))
        .to_owned()
}

pub(crate) async fn index(manager: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    create_index(manager, table, columns, false).await
}

pub(crate) async fn unique(manager: &SchemaManager<'_>, table: &str, columns: &[&str]) -> Result<(), DbErr> {
    create_index(manager, table, columns, true).await
}

async fn create_index(
    manager: &SchemaManager<'_>,
    table: &str,
    columns: &[&str],
    unique: bool,
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(format!("{table}_{}", columns.join("_"))).table(Alias::new(table));
    for column in columns {
        index.col(Alias::new(*column));
    }
    if unique {
        index.unique();
    }
    manager.create_index(index).await
}

/// The order in which a list by name is read, the same on both databases: names compare case-insensitively
/// in ASCII, as ARM's do.
async fn listed_by_name(
    manager: &SchemaManager<'_>,
    table: &str,
    name: &str,
    which: &str,
) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DbBackend::Postgres;
    let collation = if postgres { " collate \"C\"" } else { "" };
    let index = format!(
        "create index {table}_listed on {table} (organization_id, lower({name}{collation}), id) {which}"
    );
    manager.get_connection().execute_unprepared(&index).await?;
    Ok(())
}

/// The other orders of resources, and the index over tag terms, which only `PostgreSQL` has. A page by name
/// with a rare tag is quick only if the planner knows how rare it is: hence the statistics. The longer list of
/// entries that wait to be merged makes a first scan a twentieth faster.
async fn resource_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut statements = vec![
        "create index resource_first_seen on resource (organization_id, first_seen_at, id) \
         where deleted_at is null",
        "create index resource_changed on resource (organization_id, changed_at, id) where deleted_at is null",
    ];
    if manager.get_database_backend() == DbBackend::Postgres {
        statements.extend([
            "create index resource_tag_terms on resource using gin (tag_terms jsonb_path_ops) \
             with (gin_pending_list_limit = 16384) \
             where deleted_at is null",
            "alter table resource alter column tag_terms set statistics 1000",
        ]);
    }
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
