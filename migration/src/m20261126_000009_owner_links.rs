//! Owner links, the consents that they start, and who could consent for a subscription.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table,
    TableCreateStatement, async_trait,
};

use super::m20261124_000001_onboarding::{
    belongs_to, column, id, index, json, moment, owned_table, text, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn owner_link_id() -> ColumnDef {
    column("owner_link_id").uuid().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(owner_link()).await?;
        unique(manager, "owner_link", &["token_hash"]).await?;
        index(manager, "owner_link", &["organization_id", "created_at", "id"]).await?;
        let started = Table::alter().table(Alias::new("consent")).add_column(owner_link_id()).to_owned();
        manager.alter_table(started).await?;
        index(manager, "consent", &["owner_link_id"]).await?;
        manager.create_table(subscription_owner()).await?;
        unique(manager, "subscription_owner", &["subscription_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("subscription_owner")).to_owned()).await?;
        let started = Index::drop().name("consent_owner_link_id").table(Alias::new("consent")).to_owned();
        manager.drop_index(started).await?;
        let column = Alias::new("owner_link_id");
        let started = Table::alter().table(Alias::new("consent")).drop_column(column).to_owned();
        manager.alter_table(started).await?;
        manager.drop_table(Table::drop().table(Alias::new("owner_link")).to_owned()).await
    }
}

fn owner_link() -> TableCreateStatement {
    let mut table = owned_table("owner_link");
    table
        .col(id("tenant_id"))
        .col(column("token_hash").binary().not_null())
        .col(text("last_four"))
        .col(text("note"))
        .col(json("subscriptions").not_null())
        .col(id("created_by"))
        .col(column("access_token_id").uuid())
        .col(moment("created_at").not_null())
        .col(moment("expires_at").not_null())
        .col(column("consents_started").integer().not_null().default(0))
        .col(moment("used_at"))
        .col(moment("revoked_at"));
    belongs_to(&mut table, "owner_link", "tenant_id", "tenant");
    belongs_to(&mut table, "owner_link", "created_by", "member");
    belongs_to(&mut table, "owner_link", "access_token_id", "access_token");
    table
}

/// One row for each subscription whose owners were asked for.
fn subscription_owner() -> TableCreateStatement {
    let mut table = owned_table("subscription_owner");
    table
        .col(id("subscription_id"))
        .col(json("owners"))
        .col(moment("read_at"))
        .col(moment("tried_at").not_null());
    belongs_to(&mut table, "subscription_owner", "subscription_id", "subscription");
    table
}
