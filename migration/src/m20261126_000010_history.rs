//! Subscriptions and resource groups beside resources, and what has changed of each.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement,
    async_trait,
};

use super::m20261124_000001_onboarding::{belongs_to, column, id, index, moment, owned_table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What a resource gets.
fn columns() -> Vec<ColumnDef> {
    vec![text("scope").default("RESOURCE").to_owned(), moment("last_seen_at")]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            // SQLite adds one column at a time.
            let altered = Table::alter().table(Alias::new("resource")).add_column(column).to_owned();
            manager.alter_table(altered).await?;
        }
        manager.create_table(resource_change()).await?;
        index(manager, "resource_change", &["resource_id", "id"]).await?;
        index(manager, "resource_change", &["subscription_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("resource_change")).to_owned()).await?;
        for column in columns() {
            let name = Alias::new(column.get_column_name());
            let altered = Table::alter().table(Alias::new("resource")).drop_column(name).to_owned();
            manager.alter_table(altered).await?;
        }
        Ok(())
    }
}

/// It goes with its subscription, as resources do.
fn resource_change() -> TableCreateStatement {
    let mut table = owned_table("resource_change");
    table
        .col(id("subscription_id"))
        .col(id("resource_id"))
        .col(moment("at").not_null())
        .col(text("field"))
        .col(column("tag_name").text())
        .col(column("before").text())
        .col(column("after").text())
        .col(text("origin"))
        .col(column("change_set_id").uuid())
        .col(column("member_id").uuid());
    belongs_to(&mut table, "resource_change", "subscription_id", "subscription");
    table
}
