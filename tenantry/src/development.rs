//! Development tokens: who holds one is a viewer.

use anyhow::ensure;
use api::authentication::DevelopmentTokens;
use chrono::TimeDelta;
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::{Clock, Keyring, Owned, member};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseConnection, DbErr, QueryFilter, Set};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::bootstrap::ensure_organization;
use crate::cli::{Role, TokenArguments};
use crate::runtime::require_migrated;

/// The longest that a development token may last.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// `tenantry token`.
pub async fn print_token(arguments: TokenArguments) -> anyhow::Result<()> {
    let encryption_keys = arguments.key.check_alone()?;
    let expires_in = TimeDelta::from_std(arguments.expires_in).unwrap_or(TimeDelta::MAX);
    ensure!(expires_in <= LONGEST, "--expires-in is more than 30 days");
    let database = migration::connect(&arguments.database.database_url, 1).await?;
    require_migrated(&database).await?;
    let clock = Clock::system();
    let keyring = worker::keys::open(&database, encryption_keys, clock.clone()).await?;
    let member = ensure_member(&database, &clock, &arguments.organization, arguments.role.into()).await?;
    tell(&database, &keyring, &clock, &member, expires_in).await?;
    println!("{}", token_of(&keyring, &clock, &member, expires_in).expose_secret());
    Ok(())
}

/// Whoever holds the token acts as the member, so the audit says that there is one.
async fn tell(
    database: &DatabaseConnection,
    keyring: &Keyring,
    clock: &Clock,
    member: &member::Model,
    expires_in: TimeDelta,
) -> Result<(), DbErr> {
    let now = clock.now();
    let author = Author::unasked(member.organization_id, Actor::Operator);
    let record = Record::of(Action::DevelopmentTokenPrinted, ObjectKind::Member, member.id)
        .after(json!({ "role": member.role.as_str(), "expiresAt": now + expires_in }));
    let transaction = worker::transaction::begin(database).await?;
    worker::audit::append(&transaction, keyring, now, &author, record).await?;
    transaction.commit().await
}

/// A signed token for `member`.
pub fn token_of(
    keyring: &Keyring,
    clock: &Clock,
    member: &member::Model,
    expires_in: TimeDelta,
) -> SecretString {
    let tokens = DevelopmentTokens::new(keyring);
    tokens.issue(member.id, clock.now() + expires_in)
}

/// The member of `role` in the organization called `name`; both are created if they are missing.
pub async fn ensure_member(
    database: &DatabaseConnection,
    clock: &Clock,
    name: &str,
    role: member::Role,
) -> Result<member::Model, DbErr> {
    let organization = ensure_organization(database, clock, name).await?;
    let existing = member::Entity::owned_by(organization.id)
        .filter(member::Column::Role.eq(role))
        .filter(member::Column::RemovedAt.is_null())
        .one(database)
        .await?;
    if let Some(member) = existing {
        return Ok(member);
    }
    let created = member::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(organization.id),
        display_name: Set("Development".to_owned()),
        role: Set(role),
        created_at: Set(clock.now()),
        ..Default::default()
    };
    created.insert(database).await
}

impl From<Role> for member::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Editor => Self::Editor,
            Role::Admin => Self::Admin,
        }
    }
}
