//! Change sets, their tag writes, what is decided about tag names, and which types take tags.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table,
    TableCreateStatement, async_trait,
};
use sea_orm_migration::sea_orm::ConnectionTrait;

use super::m20261124_000001_onboarding::{
    belongs_to, column, id, index, json, moment, owned_table, text, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

fn conflict_policy() -> ColumnDef {
    text("conflict_policy").default("ASK").to_owned()
}

fn change_set_id() -> ColumnDef {
    column("change_set_id").uuid().to_owned()
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let policy =
            Table::alter().table(Alias::new("organization")).add_column(conflict_policy()).to_owned();
        manager.alter_table(policy).await?;
        let operation = Table::alter().table(Alias::new("operation")).add_column(change_set_id()).to_owned();
        manager.alter_table(operation).await?;
        index(manager, "operation", &["change_set_id"]).await?;
        for table in [tag_name(), change_set(), tag_write(), taggable_type()] {
            manager.create_table(table).await?;
        }
        unique(manager, "tag_name", &["organization_id", "folded"]).await?;
        index(manager, "change_set", &["organization_id", "created_at", "id"]).await?;
        index(manager, "change_set", &["reverts_id"]).await?;
        index(manager, "tag_write", &["change_set_id", "subscription_id", "outcome"]).await?;
        index(manager, "tag_write", &["change_set_id", "id"]).await?;
        index(manager, "tag_write", &["resource_id", "folded", "id"]).await?;
        index(manager, "tag_write", &["subscription_id", "ended_at"]).await?;
        let open = "create index tag_write_conflicts on tag_write (organization_id, id) \
                    where outcome = 'CONFLICT' and resolved_at is null";
        manager.get_connection().execute_unprepared(open).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["taggable_type", "tag_write", "change_set", "tag_name"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        let operation =
            Index::drop().name("operation_change_set_id").table(Alias::new("operation")).to_owned();
        manager.drop_index(operation).await?;
        let operation = Alias::new("change_set_id");
        let operation = Table::alter().table(Alias::new("operation")).drop_column(operation).to_owned();
        manager.alter_table(operation).await?;
        let policy = Alias::new("conflict_policy");
        let policy = Table::alter().table(Alias::new("organization")).drop_column(policy).to_owned();
        manager.alter_table(policy).await
    }
}

fn tag_name() -> TableCreateStatement {
    owned_table("tag_name")
        .col(text("name"))
        .col(text("folded"))
        .col(text("sync"))
        .col(column("conflict_policy").text())
        .col(moment("updated_at").not_null())
        .to_owned()
}

fn change_set() -> TableCreateStatement {
    let mut table = owned_table("change_set");
    table
        .col(id("member_id"))
        .col(text("title"))
        .col(text("purpose"))
        .col(column("reverts_id").uuid())
        .col(text("state"))
        .col(column("writes").big_integer().not_null())
        .col(column("problems").big_integer().not_null())
        .col(moment("created_at").not_null())
        .col(moment("applied_at"))
        .col(moment("finished_at"));
    belongs_to(&mut table, "change_set", "member_id", "member");
    table
}

/// A resource has no foreign keys to it, and is never deleted before its subscription is.
fn tag_write() -> TableCreateStatement {
    let mut table = owned_table("tag_write");
    table
        .col(id("change_set_id"))
        .col(id("subscription_id"))
        .col(id("resource_id"))
        .col(text("name"))
        .col(text("folded"))
        .col(column("before").text())
        .col(column("before_name").text())
        .col(column("after").text())
        .col(json("problems"))
        .col(column("after_id").uuid())
        .col(column("outcome").text())
        .col(column("found").text())
        .col(json("failure"))
        .col(moment("sent_at"))
        .col(moment("ended_at"))
        .col(column("resolution").text())
        .col(moment("resolved_at"))
        .col(column("resolved_by").uuid());
    belongs_to(&mut table, "tag_write", "change_set_id", "change_set");
    belongs_to(&mut table, "tag_write", "subscription_id", "subscription");
    table
}

fn taggable_type() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("taggable_type"))
        .col(text("resource_type").primary_key())
        .col(column("taggable").boolean().not_null())
        .col(moment("read_at").not_null())
        .to_owned()
}
