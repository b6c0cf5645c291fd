//! When tenants are scanned by themselves.

use sea_orm_migration::prelude::{
    Alias, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement,
    async_trait,
};

use super::m20261124_000001_onboarding::{belongs_to, column, id, index, moment, owned_table, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(scan_schedule()).await?;
        unique(manager, "scan_schedule", &["tenant_id"]).await?;
        index(manager, "scan_schedule", &["next_at"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("scan_schedule")).to_owned()).await
    }
}

fn scan_schedule() -> TableCreateStatement {
    let mut table = owned_table("scan_schedule");
    table
        .col(id("tenant_id"))
        .col(id("member_id"))
        .col(column("cron").text())
        .col(column("every_minutes").integer())
        .col(moment("next_at").not_null())
        .col(column("last_operation_id").uuid())
        .col(moment("updated_at").not_null());
    belongs_to(&mut table, "scan_schedule", "tenant_id", "tenant");
    belongs_to(&mut table, "scan_schedule", "member_id", "member");
    table
}
