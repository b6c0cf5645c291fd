//! The audit: what is written into it, and that nobody can change it unnoticed.

mod chain;
mod command_line;
mod events;
mod export;
mod retention;
mod worker;

use anyhow::{Result, ensure};
use entity::audit_event::{self, Action, Actor, Author, Fault, ObjectKind, Record};
use entity::{EncryptionKeys, Keyring, Owned, audit_head, organization};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, QueryOrder, Set};
use serde_json::{Value, json};
use support::app::TestApp;
use support::clock::TestClock;
use support::database::TestDatabase;
use support::stack::Stack;
use uuid::Uuid;

/// A database with one organization, and what its audit is written with.
struct Book {
    database: DatabaseConnection,
    keyring: Keyring,
    clock: TestClock,
    organization_id: Uuid,
    home: TestDatabase,
}

impl Book {
    async fn start() -> Result<Self> {
        let home = TestDatabase::start(Stack::chosen()).await?;
        let database = home.connect().await?;
        let clock = TestClock::default();
        let organization_id = organization(&database, &clock).await?;
        let encryption_keys = EncryptionKeys::new([42; 32], []);
        let keyring = ::worker::keys::open(&database, encryption_keys, clock.clock()).await?;
        Ok(Self { database, keyring, clock, organization_id, home })
    }

    /// Writes `count` events in one transaction.
    async fn write(&self, count: usize) -> Result<()> {
        self.write_in(self.organization_id, count).await
    }

    async fn write_in(&self, organization_id: Uuid, count: usize) -> Result<()> {
        let author = Author {
            address: Some("192.0.2.1".to_owned()),
            request_id: Some("request".to_owned()),
            ..Author::unasked(organization_id, Actor::Member(Uuid::now_v7()))
        };
        let transaction = ::worker::transaction::begin(&self.database).await?;
        for index in 0..count {
            let record = Record::of(Action::RoleAssigned, ObjectKind::Subscription, Uuid::now_v7())
                .before(json!({ "roles": [], "index": index }))
                .after(json!({ "weight": 1.50, "roles": ["Reader"], "a": null }))
                .correlated(Some("correlation".to_owned()));
            ::worker::audit::append(&transaction, &self.keyring, self.clock.now(), &author, record).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn fault(&self) -> Result<Option<Fault>> {
        self.fault_of(self.organization_id).await
    }

    async fn fault_of(&self, organization_id: Uuid) -> Result<Option<Fault>> {
        Ok(::worker::audit::verify(&self.database, &self.keyring, organization_id).await?.fault)
    }

    async fn head(&self) -> Result<audit_head::Model> {
        let head = audit_head::Entity::owned_by(self.organization_id).one(&self.database).await?;
        head.ok_or_else(|| anyhow::anyhow!("there is no head"))
    }

    async fn events(&self) -> Result<Vec<audit_event::Model>> {
        events_of(&self.database, self.organization_id).await
    }

    /// Takes away what keeps mistakes away, as an attacker who owns the database would.
    async fn drop_triggers(&self) -> Result<()> {
        drop_triggers(&self.database).await
    }
}

async fn organization(database: &DatabaseConnection, clock: &TestClock) -> Result<Uuid> {
    let id = Uuid::now_v7();
    let (name, created_at) = (id.to_string(), clock.now());
    let organization = organization::ActiveModel {
        id: Set(id),
        name: Set(name),
        created_at: Set(created_at),
        ..Default::default()
    };
    organization.insert(database).await?;
    Ok(id)
}

async fn events_of(database: &DatabaseConnection, organization_id: Uuid) -> Result<Vec<audit_event::Model>> {
    let events = audit_event::Entity::owned_by(organization_id);
    Ok(events.order_by_asc(audit_event::Column::Sequence).all(database).await?)
}

async fn drop_triggers(database: &DatabaseConnection) -> Result<()> {
    let triggers: &[&str] = if database.get_database_backend() == DbBackend::Postgres {
        &[
            "drop trigger audit_event_row on audit_event",
            "drop trigger audit_event_table on audit_event",
            "drop trigger audit_head_row on audit_head",
        ]
    } else {
        &[
            "drop trigger audit_event_update",
            "drop trigger audit_event_delete",
            "drop trigger audit_head_update",
            "drop trigger audit_head_delete",
        ]
    };
    for trigger in triggers {
        database.execute_unprepared(trigger).await?;
    }
    Ok(())
}

/// The actions of an app's audit, the oldest first; its chain is good.
async fn actions(app: &TestApp) -> Result<Vec<Action>> {
    let organization_id = app.member.organization_id;
    let verified = ::worker::audit::verify(&app.database, &app.services.keyring, organization_id).await?;
    ensure!(verified.fault.is_none(), "{verified:?}");
    let events = events_of(&app.database, organization_id).await?;
    Ok(events.into_iter().map(|event| event.action).collect())
}

/// An access token of these scopes, made by the api.
pub async fn access_token(app: &TestApp, scopes: &[&str], tenants: Option<&Value>) -> Result<String> {
    let query = "mutation($scopes: [AccessScope!]!, $expiresAt: DateTime!, $tenants: [ID!]) {
        createAccessToken(input: { name: \"partner\", scopes: $scopes, expiresAt: $expiresAt, tenants: $tenants }) {
          secret userErrors { code } } }";
    let expires_at = (app.clock.now() + chrono::TimeDelta::days(30)).to_rfc3339();
    let variables = json!({ "scopes": scopes, "expiresAt": expires_at, "tenants": tenants });
    let data = app.ask(query, variables).await?;
    let secret = data["createAccessToken"]["secret"].as_str();
    secret.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("no access token: {data}"))
}
