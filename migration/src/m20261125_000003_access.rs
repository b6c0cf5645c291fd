//! Who may call: members' sign-ins and limits, invitations, sessions, access tokens, enrollment keys.

use sea_orm_migration::prelude::{
    Alias, ColumnDef, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement,
    async_trait,
};
use sea_orm_migration::sea_orm::ConnectionTrait;

use super::m20261124_000001_onboarding::{
    belongs_to, column, id, index, json, moment, owned_table, text, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for added in [
            column("issuer").text().to_owned(),
            column("subject").text().to_owned(),
            flag("limited"),
            moment("removed_at"),
            moment("signed_out_at"),
        ] {
            let mut member = Table::alter();
            manager.alter_table(member.table(Alias::new("member")).add_column(added).to_owned()).await?;
        }
        // Who was removed may be invited again.
        let identity = "create unique index member_identity on member (issuer, subject, organization_id) \
                        where removed_at is null";
        manager.get_connection().execute_unprepared(identity).await?;
        for table in [reach(), invitation(), session(), access_token(), enrollment_key()] {
            manager.create_table(table).await?;
        }
        index(manager, "reach", &["holder_id"]).await?;
        unique(manager, "invitation", &["token_hash"]).await?;
        index(manager, "invitation", &["organization_id", "created_at", "id"]).await?;
        unique(manager, "session", &["token_hash"]).await?;
        index(manager, "session", &["former_hash"]).await?;
        index(manager, "session", &["member_id"]).await?;
        index(manager, "session", &["expires_at"]).await?;
        unique(manager, "access_token", &["token_hash"]).await?;
        index(manager, "access_token", &["organization_id", "created_at", "id"]).await?;
        unique(manager, "enrollment_key", &["organization_id", "enrollment_number"]).await?;
        index(manager, "enrollment_key", &["checked_at"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["enrollment_key", "access_token", "session", "invitation", "reach"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        manager.get_connection().execute_unprepared("drop index member_identity").await?;
        for added in ["signed_out_at", "removed_at", "limited", "subject", "issuer"] {
            let mut member = Table::alter();
            let member = member.table(Alias::new("member")).drop_column(Alias::new(added));
            manager.alter_table(member.to_owned()).await?;
        }
        Ok(())
    }
}

fn flag(name: &str) -> ColumnDef {
    column(name).boolean().not_null().default(false).to_owned()
}

/// `holder_id` is of a member, an invitation or an access token.
fn reach() -> TableCreateStatement {
    let mut table = owned_table("reach");
    table.col(id("holder_id")).col(id("tenant_id")).col(column("subscription_id").uuid());
    belongs_to(&mut table, "reach", "tenant_id", "tenant");
    belongs_to(&mut table, "reach", "subscription_id", "subscription");
    table
}

fn invitation() -> TableCreateStatement {
    let mut table = owned_table("invitation");
    table
        .col(column("token_hash").binary().not_null())
        .col(text("display_name"))
        .col(text("role"))
        .col(flag("limited"))
        .col(column("invited_by").uuid())
        .col(moment("created_at").not_null())
        .col(moment("expires_at").not_null())
        .col(moment("accepted_at"))
        .col(column("accepted_by").uuid())
        .col(moment("revoked_at"));
    belongs_to(&mut table, "invitation", "invited_by", "member");
    belongs_to(&mut table, "invitation", "accepted_by", "member");
    table
}

fn session() -> TableCreateStatement {
    let mut table = owned_table("session");
    table
        .col(id("member_id"))
        .col(column("token_hash").binary().not_null())
        .col(column("former_hash").binary())
        .col(moment("rotated_at").not_null())
        .col(moment("created_at").not_null())
        .col(moment("last_seen_at").not_null())
        .col(moment("expires_at").not_null())
        .col(moment("ended_at"));
    belongs_to(&mut table, "session", "member_id", "member");
    table
}

fn access_token() -> TableCreateStatement {
    let mut table = owned_table("access_token");
    table
        .col(text("name"))
        .col(column("token_hash").binary().not_null())
        .col(text("last_four"))
        .col(json("scopes").not_null())
        .col(flag("limited"))
        .col(id("created_by"))
        .col(moment("created_at").not_null())
        .col(moment("expires_at").not_null())
        .col(moment("last_used_at"))
        .col(column("last_used_address").text())
        .col(moment("revoked_at"))
        .col(column("replaces").uuid());
    belongs_to(&mut table, "access_token", "created_by", "member");
    table
}

fn enrollment_key() -> TableCreateStatement {
    let mut table = owned_table("enrollment_key");
    table
        .col(text("enrollment_number"))
        .col(column("sealed_key").binary().not_null())
        .col(text("last_four"))
        .col(column("state").text())
        .col(json("failure"))
        .col(moment("expires_at"))
        .col(moment("checked_at"))
        .col(id("created_by"))
        .col(moment("created_at").not_null())
        .col(moment("updated_at").not_null());
    belongs_to(&mut table, "enrollment_key", "created_by", "member");
    table
}
