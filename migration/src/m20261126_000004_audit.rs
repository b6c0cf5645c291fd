//! The audit: events that are only ever added, and the head of each organization's chain of them.
//!
//! The database itself refuses to change an event, and to remove one before the head says that its time is over.
//! That keeps mistakes away; what somebody does who may drop the triggers is found by the hashes.

use sea_orm_migration::prelude::{
    Alias, DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, MigrationTrait, SchemaManager, Table,
    TableCreateStatement, async_trait,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use super::m20261124_000001_onboarding::{column, id, index, moment, text, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(audit_head()).await?;
        manager.create_table(audit_event()).await?;
        unique(manager, "audit_event", &["organization_id", "sequence"]).await?;
        index(manager, "audit_event", &["organization_id", "object_id", "sequence"]).await?;
        index(manager, "audit_event", &["organization_id", "actor_id", "sequence"]).await?;
        index(manager, "audit_event", &["organization_id", "action", "sequence"]).await?;
        index(manager, "audit_event", &["organization_id", "occurred_at"]).await?;
        let triggers = if manager.get_database_backend() == DbBackend::Postgres { POSTGRES } else { SQLITE };
        for trigger in triggers {
            manager.get_connection().execute_unprepared(trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["audit_event", "audit_head"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            let functions = "drop function audit_event_refuse(); drop function audit_head_refuse();";
            manager.get_connection().execute_unprepared(functions).await?;
        }
        Ok(())
    }
}

fn audit_event() -> TableCreateStatement {
    let mut table = Table::create().table(Alias::new("audit_event")).to_owned();
    table
        .col(id("id").primary_key())
        .col(id("organization_id"))
        .col(column("sequence").big_integer().not_null())
        .col(moment("occurred_at").not_null())
        .col(text("actor_kind"))
        .col(column("actor_id").uuid())
        .col(text("action"))
        .col(text("object_kind"))
        .col(id("object_id"))
        .col(column("before").text())
        .col(column("after").text())
        .col(column("address").text())
        .col(column("request_id").text())
        .col(column("microsoft_correlation_id").text())
        .col(column("previous_hash").binary().not_null())
        .col(column("hash").binary().not_null());
    stays_with_its_organization(&mut table, "audit_event");
    table
}

fn audit_head() -> TableCreateStatement {
    let mut table = Table::create().table(Alias::new("audit_head")).to_owned();
    table
        .col(id("organization_id").primary_key())
        .col(column("sequence").big_integer().not_null())
        .col(column("hash").binary().not_null())
        .col(column("pruned_sequence").big_integer().not_null())
        .col(column("pruned_hash").binary().not_null())
        .col(column("seal").binary().not_null());
    stays_with_its_organization(&mut table, "audit_head");
    table
}

/// An organization that has an audit cannot vanish and take it along.
fn stays_with_its_organization(table: &mut TableCreateStatement, name: &str) {
    table.foreign_key(
        ForeignKey::create()
            .from(Alias::new(name), Alias::new("organization_id"))
            .to(Alias::new("organization"), Alias::new("id"))
            .on_delete(ForeignKeyAction::Restrict),
    );
}

const SQLITE: &[&str] = &[
    "create trigger audit_event_update before update on audit_event begin \
       select raise(abort, 'audit events are only ever added'); end",
    "create trigger audit_event_delete before delete on audit_event \
     when old.sequence > coalesce( \
       (select pruned_sequence from audit_head where organization_id = old.organization_id), 0) begin \
       select raise(abort, 'audit events are only ever added'); end",
    "create trigger audit_head_update before update on audit_head \
     when new.organization_id <> old.organization_id or new.sequence < old.sequence \
       or new.pruned_sequence < old.pruned_sequence or new.pruned_sequence > new.sequence begin \
       select raise(abort, 'the head of an audit only moves on'); end",
    "create trigger audit_head_delete before delete on audit_head begin \
       select raise(abort, 'the head of an audit only moves on'); end",
];

const POSTGRES: &[&str] = &[
    "create function audit_event_refuse() returns trigger language plpgsql as $$
     begin
       if tg_op = 'DELETE' then
         if old.sequence <= coalesce(
           (select pruned_sequence from audit_head where organization_id = old.organization_id), 0) then
           return old;
         end if;
       end if;
       raise exception 'audit events are only ever added' using errcode = 'restrict_violation';
     end $$",
    "create trigger audit_event_row before update or delete on audit_event \
     for each row execute function audit_event_refuse()",
    "create trigger audit_event_table before truncate on audit_event \
     for each statement execute function audit_event_refuse()",
    "create function audit_head_refuse() returns trigger language plpgsql as $$
     begin
       if tg_op = 'UPDATE' then
         if new.organization_id = old.organization_id and new.sequence >= old.sequence
           and new.pruned_sequence >= old.pruned_sequence and new.pruned_sequence <= new.sequence then
           return new;
         end if;
       end if;
       raise exception 'the head of an audit only moves on' using errcode = 'restrict_violation';
     end $$",
    "create trigger audit_head_row before update or delete on audit_head \
     for each row execute function audit_head_refuse()",
    "create trigger audit_head_table before truncate on audit_head \
     for each statement execute function audit_head_refuse()",
];
