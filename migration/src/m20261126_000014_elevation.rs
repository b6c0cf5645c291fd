//! Change sets that hold a role for as long as they are written.

use sea_orm_migration::prelude::{
    Alias, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait,
};

use super::m20261124_000001_onboarding::column;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let elevates = column("elevates").boolean().not_null().default(false).to_owned();
        let table = Table::alter().table(Alias::new("change_set")).add_column(elevates).to_owned();
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table =
            Table::alter().table(Alias::new("change_set")).drop_column(Alias::new("elevates")).to_owned();
        manager.alter_table(table).await
    }
}
