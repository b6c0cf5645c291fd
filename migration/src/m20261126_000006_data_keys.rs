//! Data keys, and the promise that no sealed value outlives the one it needs.

use sea_orm_migration::prelude::{
    Alias, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use super::m20261124_000001_onboarding::{column, moment, text};

/// Tables and their columns of sealed values.
const SEALED: [(&str, &str); 3] =
    [("consent", "sealed_request"), ("consent", "sealed_token"), ("enrollment_key", "sealed_key")];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table(Alias::new("data_key"))
            .col(column("id").binary().not_null().primary_key())
            .col(text("purpose"))
            .col(column("sealed_key").binary().not_null())
            .col(moment("created_at").not_null())
            .col(moment("active_from").not_null());
        manager.create_table(table).await?;
        // Of two processes that start on an empty database, one makes the keys.
        let one_root = "create unique index data_key_root on data_key (purpose) where purpose = 'ROOT'";
        manager.get_connection().execute_unprepared(one_root).await?;
        for (table, column) in SEALED {
            for statement in guard(manager.get_database_backend(), table, column) {
                manager.get_connection().execute_unprepared(&statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for (table, column) in SEALED {
            let name = format!("{table}_{column}_data_key");
            if manager.get_database_backend() == DbBackend::Postgres {
                connection.execute_unprepared(&format!("drop function {name} cascade")).await?;
            } else {
                connection.execute_unprepared(&format!("drop trigger {name}_insert")).await?;
                connection.execute_unprepared(&format!("drop trigger {name}_update")).await?;
            }
        }
        manager.drop_table(Table::drop().table(Alias::new("data_key")).to_owned()).await
    }
}

/// Refuses a sealed value whose data key is not there: a foreign key over a part of a column. Whoever seals
/// with a key that is being retired either is in time, and the key stays, or is told.
fn guard(backend: DbBackend, table: &str, column: &str) -> Vec<String> {
    let name = format!("{table}_{column}_data_key");
    let refusal = format!("the data key of {table}.{column} is not there");
    if backend == DbBackend::Postgres {
        // It looks as its owner: whoever writes the row need not be allowed to lock data keys.
        let function = format!(
            "create function {name}() returns trigger language plpgsql \
             security definer set search_path from current as $$ begin \
               perform 1 from data_key where id = substr(new.{column}, 2, 4) for key share; \
               if not found then \
                 raise exception '{refusal}' using errcode = 'foreign_key_violation'; \
               end if; \
               return new; \
             end $$"
        );
        let trigger = format!(
            "create trigger {name} before insert or update of {column} on {table} \
             for each row when (new.{column} is not null) execute function {name}()"
        );
        return vec![function, trigger];
    }
    let on = |name: String, event: String| {
        format!(
            "create trigger {name} before {event} on {table} when new.{column} is not null \
             and not exists (select 1 from data_key where id = substr(new.{column}, 2, 4)) \
             begin select raise(abort, '{refusal}'); end"
        )
    };
    vec![
        on(format!("{name}_insert"), "insert".to_owned()),
        on(format!("{name}_update"), format!("update of {column}")),
    ]
}
