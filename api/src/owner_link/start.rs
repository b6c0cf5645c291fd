//! Shows what an owner link asks for, and starts its consent.

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Actor, ObjectKind, Record};
use entity::consent::{self, hash};
use entity::{Failure, FixableBy, Owned, Work, organization, owner_link, subscription, tenant};
use sea_orm::prelude::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Set, Unchanged, Value,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::page::Asked;
use super::standing::dead;
use crate::consent::{Asking, ask_within};
use crate::page::Page;
use crate::services::Services;
use crate::sign_in::random_secret;
use crate::viewer::Origin;

/// Somebody opens the link, in a browser that may have a cookie of us from before: answers the page, and the cookie
/// by which its button is known.
pub async fn show(
    services: &Services,
    secret: &SecretString,
    browser: Option<SecretString>,
) -> Result<(Page, SecretString), Page> {
    let shown = look(services, secret, browser.unwrap_or_else(random_secret)).await;
    shown.map_err(|error| Page::broken(&error))?
}

async fn look(
    services: &Services,
    secret: &SecretString,
    browser: SecretString,
) -> Result<Result<(Page, SecretString), Page>, DbErr> {
    let database = &services.database;
    let Some(link) = owner_link::Entity::by_secret(secret).one(database).await? else {
        return Ok(Err(Page::owner_link_unknown()));
    };
    if let Some(dead) = dead(database, &link, services.clock.now()).await? {
        return Ok(Err(Page::of_dead_owner_link(dead)));
    }
    let organizations = organization::Entity::by_ids(&[link.organization_id]).one(database).await?;
    let organization = organizations.map(|organization| organization.name).unwrap_or_default();
    let tenant = tenant_of(services, &link).await?;
    let subscriptions = subscription::Entity::owned_by(link.organization_id)
        .filter(subscription::Column::Id.is_in(link.subscriptions.0.iter().copied()))
        .order_by_asc(subscription::Column::DisplayName)
        .order_by_asc(subscription::Column::Id)
        .all(database)
        .await?;
    let named = |one: subscription::Model| format!("{} ({})", one.display_name, one.azure_subscription_id);
    let token = secret.expose_secret().to_owned();
    let asked = Asked {
        organization: &organization,
        tenant: &tenant.display_name.unwrap_or_else(|| tenant.entra_tenant_id.to_string()),
        subscriptions: subscriptions.into_iter().map(named).collect(),
        hidden: vec![("token", token), ("browser", proof(&browser))],
    };
    Ok(Ok((Page::owner_link(asked), browser)))
}

/// What the page of a browser sends, and no other page can know.
fn proof(browser: &SecretString) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash(browser.expose_secret()))
}

async fn tenant_of(services: &Services, link: &owner_link::Model) -> Result<tenant::Model, DbErr> {
    let tenant = tenant::Entity::owned_by(link.organization_id)
        .filter(tenant::Column::Id.eq(link.tenant_id))
        .one(&services.database)
        .await?;
    tenant.ok_or_else(|| DbErr::RecordNotFound("the tenant of an owner link".to_owned()))
}

/// The button of the page: starts the consent, from `origin`, and answers where the browser goes. `shown` is what
/// the page sends, `browser` the cookie.
pub async fn start(
    services: &Services,
    secret: &SecretString,
    (shown, browser): (&str, Option<SecretString>),
    origin: &Origin,
) -> Result<Url, Page> {
    if browser.is_none_or(|browser| proof(&browser) != shown) {
        return Err(Page::owner_link_of_another_browser());
    }
    let started = begin(services, secret, origin).await.map_err(|error| Page::broken(&error))??;
    for ended in started.superseded {
        services.progress.publish(ended).await;
    }
    Ok(started.url)
}

struct Started {
    url: Url,
    superseded: Vec<uuid::Uuid>,
}

async fn begin(
    services: &Services,
    secret: &SecretString,
    origin: &Origin,
) -> Result<Result<Started, Page>, DbErr> {
    let now = services.clock.now();
    let transaction = services.begin().await?;
    // Whoever uses the link at the same time waits here.
    let found = owner_link::Entity::by_secret(secret).lock_exclusive().one(&transaction).await?;
    let Some(link) = found else { return Ok(Err(Page::owner_link_unknown())) };
    if let Some(dead) = dead(&transaction, &link, now).await? {
        return Ok(Err(Page::of_dead_owner_link(dead)));
    }
    let counted = owner_link::ActiveModel {
        id: Unchanged(link.id),
        consents_started: Set(link.consents_started + 1),
        ..Default::default()
    };
    counted.update(&transaction).await?;
    let superseded = supersede(&transaction, &link).await?;
    let author = origin.clone().author(link.organization_id, Actor::ConsentingUser(None));
    let asking = Asking {
        organization_id: link.organization_id,
        member_id: link.created_by,
        entra_tenant_id: tenant_of(services, &link).await?.entra_tenant_id,
        work: Work::Onboard { subscriptions: link.subscriptions.0 },
        author: author.clone(),
    };
    let (consent, url) = ask_within(services, &transaction, asking, Some(link.id)).await?;
    for ended in &superseded {
        let record = told(ended, now);
        worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    }
    transaction.commit().await?;
    tracing::info!(consent.id = %consent.id, owner_link.id = %link.id, "consent asked for by an owner link");
    Ok(Ok(Started { url, superseded: superseded.into_iter().map(|ended| ended.id).collect() }))
}

/// Ends the consents that the link started before: there is one at a time.
async fn supersede(
    transaction: &DatabaseTransaction,
    link: &owner_link::Model,
) -> Result<Vec<consent::Model>, DbErr> {
    let pending = consent::Entity::pending_of(link.id).all(transaction).await?;
    let failure = Failure::new(
        "SUPERSEDED",
        false,
        FixableBy::Member,
        "The owner link was opened again, and started another consent in the place of this one.",
    );
    consent::Entity::update_many()
        .set(consent::ActiveModel {
            state: Set(consent::State::Expired),
            failure: Set(Some(failure)),
            ..Default::default()
        })
        .col_expr(consent::Column::SealedRequest, Expr::val(Value::Bytes(None)))
        .filter(consent::Column::OwnerLinkId.eq(link.id))
        .filter(consent::Column::State.eq(consent::State::Pending))
        .exec(transaction)
        .await?;
    Ok(pending)
}

fn told(superseded: &consent::Model, now: DateTime<Utc>) -> Record {
    Record::of(Action::ConsentExpired, ObjectKind::Consent, superseded.id)
        .before(json!({ "state": "PENDING" }))
        .after(json!({ "state": "EXPIRED", "failure": "SUPERSEDED", "expiredAt": now }))
}
