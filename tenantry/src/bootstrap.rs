//! The first administrator of an organization: by a one-time link, never by a default password.

use anyhow::{Context as _, ensure};
use api::sign_in::invitation_link;
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::invitation::Guest;
use entity::{Clock, Keyring, Owned, member, organization};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseConnection, DbErr, PaginatorTrait, QueryFilter, Set};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::cli::BootstrapArguments;
use crate::runtime::require_migrated;

/// `tenantry bootstrap`.
pub async fn print_link(arguments: &BootstrapArguments) -> anyhow::Result<()> {
    let encryption_keys = arguments.key.check_alone()?;
    let database = migration::connect(&arguments.database.database_url, 1).await?;
    require_migrated(&database).await?;
    let clock = Clock::system();
    let keyring = worker::keys::open(&database, encryption_keys, clock.clone()).await?;
    let organization = ensure_organization(&database, &clock, &arguments.organization).await?;
    ensure!(
        !has_administrator(&database, &organization).await?,
        "the organization {:?} has an administrator who can sign in: ask them for an invitation, or name \
         another organization",
        organization.name
    );
    let secret = invite_administrator(&database, &keyring, &clock, &organization, "Administrator").await?;
    println!("{}", invitation_link(&arguments.public_url, &secret));
    eprintln!(
        "Whoever opens this link first and signs in becomes the administrator of {:?}. It is good once, for a \
         week.",
        organization.name
    );
    Ok(())
}

/// The organization called `name`; it is created if it is missing.
pub async fn ensure_organization(
    database: &DatabaseConnection,
    clock: &Clock,
    name: &str,
) -> Result<organization::Model, DbErr> {
    if let Some(known) = organization::Entity::by_name(name).one(database).await? {
        return Ok(known);
    }
    let created = organization::ActiveModel {
        id: Set(Uuid::now_v7()),
        name: Set(name.to_owned()),
        created_at: Set(clock.now()),
        ..Default::default()
    };
    created.insert(database).await
}

/// An invitation of an administrator by nobody: the secret of its link.
pub async fn invite_administrator(
    database: &DatabaseConnection,
    keyring: &Keyring,
    clock: &Clock,
    organization: &organization::Model,
    display_name: &str,
) -> anyhow::Result<SecretString> {
    let guest = Guest {
        organization_id: organization.id,
        display_name: display_name.to_owned(),
        role: member::Role::Admin,
        limited: false,
        invited_by: None,
    };
    let now = clock.now();
    let (invitation, secret) = guest.invited(now);
    let transaction = worker::transaction::begin(database).await?;
    let invitation = invitation.insert(&transaction).await.context("storing the invitation")?;
    let record = Record::of(Action::MemberInvited, ObjectKind::Invitation, invitation.id)
        .after(json!({ "role": invitation.role.as_str(), "reach": null }));
    let author = Author::unasked(organization.id, Actor::Operator);
    worker::audit::append(&transaction, keyring, now, &author, record).await?;
    transaction.commit().await?;
    Ok(secret)
}

async fn has_administrator(
    database: &DatabaseConnection,
    organization: &organization::Model,
) -> Result<bool, DbErr> {
    let administrators = member::Entity::owned_by(organization.id)
        .filter(member::Column::Role.eq(member::Role::Admin))
        .filter(member::Column::Issuer.is_not_null())
        .filter(member::Column::RemovedAt.is_null());
    Ok(administrators.count(database).await? > 0)
}
