//! Office 365: what may be read of a tenant, its users and groups, and its reports.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement,
    async_trait,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use super::m20261124_000001_onboarding::{
    belongs_to, column, id, index, json, moment, owned_table, table, text, unique,
};

/// Every table, the one that others belong to last.
const TABLES: [&str; 10] = [
    "report_row",
    "report",
    "active_users",
    "group_membership",
    "office_group",
    "assigned_licence",
    "purchased_licence",
    "office_user",
    "office_feed",
    "office_connection",
];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [connection(), feed(), user(), assigned_licence(), purchased_licence(), group()] {
            manager.create_table(table).await?;
        }
        for table in [membership(), active_users(), report(), report_row()] {
            manager.create_table(table).await?;
        }
        unique(manager, "office_connection", &["tenant_id"]).await?;
        index(manager, "office_connection", &["next_load_at"]).await?;
        unique(manager, "office_feed", &["tenant_id", "kind", "period"]).await?;
        index(manager, "office_feed", &["operation_id"]).await?;
        index(manager, "office_user", &["tenant_id", "folded_name"]).await?;
        index(manager, "office_user", &["tenant_id", "department"]).await?;
        index(manager, "assigned_licence", &["tenant_id", "sku_id", "user_id"]).await?;
        index(manager, "assigned_licence", &["user_id"]).await?;
        unique(manager, "purchased_licence", &["tenant_id", "sku_id"]).await?;
        index(manager, "office_group", &["tenant_id", "entra_group_id"]).await?;
        index(manager, "group_membership", &["group_id", "member_id"]).await?;
        index(manager, "group_membership", &["member_id"]).await?;
        unique(manager, "active_users", &["tenant_id", "day"]).await?;
        unique(manager, "report", &["tenant_id", "kind", "period", "refreshed_on"]).await?;
        index(manager, "report", &["organization_id", "refreshed_on", "id"]).await?;
        index(manager, "report_row", &["feed_id", "load_id"]).await?;
        index(manager, "report_row", &["load_id", "folded_name"]).await?;
        index(manager, "report_row", &["load_id", "used_bytes", "id"]).await?;
        listed(manager, "office_user").await?;
        listed(manager, "office_group").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}

/// The order in which a list by name is read: that of resources.
async fn listed(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DbBackend::Postgres;
    let collation = if postgres { " collate \"C\"" } else { "" };
    let index = format!(
        "create index {table}_listed on {table} (organization_id, lower(display_name{collation}), id) \
         where deleted_at is null"
    );
    manager.get_connection().execute_unprepared(&index).await.map(drop)
}

fn number(name: &str) -> ColumnDef {
    column(name).big_integer().to_owned()
}

fn day(name: &str) -> ColumnDef {
    column(name).date().to_owned()
}

fn flag(name: &str) -> ColumnDef {
    column(name).boolean().to_owned()
}

fn of_tenant(name: &str) -> TableCreateStatement {
    let mut table = owned_table(name);
    table.col(id("tenant_id"));
    belongs_to(&mut table, name, "tenant_id", "tenant");
    table
}

/// Rows that are stored in bulk from a parent that was just read: look-ups for each would cost more than the row.
fn in_bulk(name: &str) -> TableCreateStatement {
    table(name).col(id("organization_id")).col(id("tenant_id")).to_owned()
}

fn connection() -> TableCreateStatement {
    let mut table = of_tenant("office_connection");
    table
        .col(id("member_id"))
        .col(json("permissions"))
        .col(moment("permissions_read_at"))
        .col(flag("conceals_names"))
        .col(moment("next_load_at"))
        .col(moment("created_at").not_null());
    belongs_to(&mut table, "office_connection", "member_id", "member");
    table
}

fn feed() -> TableCreateStatement {
    of_tenant("office_feed")
        .col(text("kind"))
        .col(column("period").integer().not_null())
        .col(column("operation_id").uuid())
        .col(text("state"))
        .col(column("link").text())
        .col(flag("is_complete").not_null())
        .col(number("round").not_null())
        .col(number("rows_read").not_null())
        .col(number("rows_refused").not_null())
        .col(json("refused"))
        .col(json("failure"))
        .col(column("etag").text())
        .col(column("report_id").uuid())
        .col(column("load_id").uuid())
        .col(moment("loaded_at"))
        .col(moment("updated_at").not_null())
        .to_owned()
}

fn user() -> TableCreateStatement {
    in_bulk("office_user")
        .col(id("entra_user_id"))
        .col(text("display_name"))
        .col(text("principal_name"))
        .col(text("folded_name"))
        .col(column("mail").text())
        .col(flag("is_enabled").not_null())
        .col(flag("is_guest").not_null())
        .col(column("department").text())
        .col(column("usage_location").text())
        .col(moment("entra_created_at"))
        .col(moment("last_sign_in_at"))
        .col(number("licence_count").not_null())
        .col(number("round").not_null())
        .col(moment("first_seen_at").not_null())
        .col(moment("changed_at").not_null())
        .col(moment("deleted_at"))
        .to_owned()
}

fn assigned_licence() -> TableCreateStatement {
    in_bulk("assigned_licence").col(id("user_id")).col(id("sku_id")).to_owned()
}

fn purchased_licence() -> TableCreateStatement {
    of_tenant("purchased_licence")
        .col(id("sku_id"))
        .col(text("part_number"))
        .col(text("capability_status"))
        .col(flag("is_per_user").not_null())
        .col(number("enabled").not_null())
        .col(number("suspended").not_null())
        .col(number("warning").not_null())
        .col(number("consumed").not_null())
        .col(moment("read_at").not_null())
        .to_owned()
}

fn group() -> TableCreateStatement {
    in_bulk("office_group")
        .col(id("entra_group_id"))
        .col(text("display_name"))
        .col(text("kind"))
        .col(flag("is_mail_enabled").not_null())
        .col(flag("is_security_enabled").not_null())
        .col(column("membership_rule").text())
        .col(moment("entra_created_at"))
        .col(number("member_count").not_null())
        .col(number("round").not_null())
        .col(moment("first_seen_at").not_null())
        .col(moment("changed_at").not_null())
        .col(moment("deleted_at"))
        .to_owned()
}

/// A member may be of a kind that is not loaded, so it is known by Microsoft's id.
fn membership() -> TableCreateStatement {
    in_bulk("group_membership")
        .col(id("group_id"))
        .col(id("member_id"))
        .col(text("kind"))
        .col(number("round").not_null())
        .to_owned()
}

fn active_users() -> TableCreateStatement {
    let mut table = of_tenant("active_users");
    table.col(day("day").not_null()).col(day("refreshed_on").not_null());
    for service in ["office_365", "exchange", "onedrive", "sharepoint", "skype", "yammer", "teams"] {
        table.col(number(service));
    }
    table
}

fn report() -> TableCreateStatement {
    of_tenant("report")
        .col(text("kind"))
        .col(column("period").integer().not_null())
        .col(day("refreshed_on").not_null())
        .col(moment("fetched_at").not_null())
        .col(number("rows").not_null())
        .col(number("refused").not_null())
        .col(flag("conceals_names"))
        .col(json("totals"))
        .to_owned()
}

fn report_row() -> TableCreateStatement {
    let mut table = in_bulk("report_row");
    table
        .col(id("feed_id"))
        .col(id("load_id"))
        .col(text("name"))
        .col(text("folded_name"))
        .col(column("display_name").text())
        .col(flag("is_deleted").not_null())
        .col(day("active_on"));
    for service in ["exchange_on", "onedrive_on", "sharepoint_on", "teams_on", "yammer_on", "skype_on"] {
        table.col(day(service));
    }
    table.col(number("used_bytes")).col(number("quota_bytes")).col(json("details")).to_owned()
}
