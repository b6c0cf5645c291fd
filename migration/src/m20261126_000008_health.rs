//! Health: why a tenant is degraded, and when that was last looked at; and how far its disconnection is.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement,
    async_trait,
};

use super::m20261124_000001_onboarding::{belongs_to, column, id, index, json, moment, owned_table, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What a tenant gets.
fn columns() -> Vec<ColumnDef> {
    vec![
        moment("degraded_since"),
        moment("check_begun_at"),
        moment("checked_at"),
        json("check_failure"),
        moment("disconnected_at"),
        moment("deleting_since"),
        moment("deleted_at"),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            // SQLite adds one column at a time.
            let altered = Table::alter().table(Alias::new("tenant")).add_column(column).to_owned();
            manager.alter_table(altered).await?;
        }
        manager.create_table(health_reason()).await?;
        index(manager, "health_reason", &["tenant_id", "since", "id"]).await?;
        index(manager, "health_reason", &["subscription_id"]).await?;
        index(manager, "operation", &["tenant_id", "state"]).await?;
        index(manager, "operation_step", &["subscription_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("health_reason")).to_owned()).await?;
        for column in columns() {
            let name = Alias::new(column.get_column_name());
            let altered = Table::alter().table(Alias::new("tenant")).drop_column(name).to_owned();
            manager.alter_table(altered).await?;
        }
        Ok(())
    }
}

fn health_reason() -> TableCreateStatement {
    let mut table = owned_table("health_reason");
    table
        .col(id("tenant_id"))
        .col(column("subscription_id").uuid())
        .col(text("severity"))
        .col(json("failure").not_null())
        .col(moment("since").not_null());
    belongs_to(&mut table, "health_reason", "tenant_id", "tenant");
    belongs_to(&mut table, "health_reason", "subscription_id", "subscription");
    table
}
