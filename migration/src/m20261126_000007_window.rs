//! The consent window: what a consent is for, what is done in it, and every call that was made in it.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, MigrationTrait,
    SchemaManager, Table, TableCreateStatement, async_trait,
};

use super::m20261124_000001_onboarding::{column, id, index, json, moment, text};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Tables and the columns that they get.
fn columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("organization", column("keep_reader").boolean().not_null().default(false).to_owned()),
        ("consent", json("work")),
        ("consent", column("closed_because").text().to_owned()),
        ("consent", moment("last_call_at")),
        ("operation", json("work")),
        ("operation", json("estimate")),
        ("operation_step", column("access_level").text().to_owned()),
        ("operation_step", json("roles_added")),
        ("subscription", column("changing_step_id").uuid().to_owned()),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            // SQLite adds one column at a time.
            let altered = Table::alter().table(Alias::new(table)).add_column(column).to_owned();
            manager.alter_table(altered).await?;
        }
        manager.create_table(delegated_call()).await?;
        index(manager, "delegated_call", &["consent_id", "id"]).await?;
        index(manager, "operation_step", &["operation_id", "state"]).await?;
        index(manager, "operation_step", &["subscription_id"]).await?;
        index(manager, "role_assignment", &["arm_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("delegated_call")).to_owned()).await?;
        for (table, column) in columns() {
            let name = Alias::new(column.get_column_name());
            let altered = Table::alter().table(Alias::new(table)).drop_column(name).to_owned();
            manager.alter_table(altered).await?;
        }
        Ok(())
    }
}

fn delegated_call() -> TableCreateStatement {
    let mut table = Table::create().table(Alias::new("delegated_call")).to_owned();
    table
        .col(id("id").primary_key())
        .col(id("organization_id"))
        .col(id("consent_id"))
        .col(text("method"))
        .col(text("path"))
        .col(moment("begun_at").not_null())
        .col(moment("ended_at"))
        .col(text("outcome"))
        .col(column("status").integer())
        .col(column("microsoft_code").text())
        .col(column("microsoft_request_id").text())
        .col(id("correlation_id"))
        .foreign_key(
            ForeignKey::create()
                .from(Alias::new("delegated_call"), Alias::new("consent_id"))
                .to(Alias::new("consent"), Alias::new("id"))
                .on_delete(ForeignKeyAction::Cascade),
        );
    table
}
