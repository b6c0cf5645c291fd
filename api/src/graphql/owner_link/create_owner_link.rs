//! The mutation `createOwnerLink`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::TimeDelta;
use entity::audit_event::{Action, ObjectKind, Record};
use entity::owner_link::{self, LONGEST, Wanted};
use entity::{reach, subscription, tenant};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, PaginatorTrait, QueryFilter};
use secrecy::SecretString;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::OwnerLink;
use crate::graphql::ids::Kind;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::object;
use crate::graphql::tenant::not_connected;
use crate::graphql::user_error::{Outcome, UserError, UserErrorCode, halves};
use crate::owner_link::link;
use crate::permission::Permission;
use crate::viewer::Actor;

/// The most subscriptions of one owner link: whoever follows it reads each of their names.
const MOST: usize = 100;

/// The longest note, in characters.
const LONGEST_NOTE: usize = 200;

/// What an owner is to be asked for.
#[derive(InputObject)]
#[graphql(name = "CreateOwnerLinkInput")]
pub struct CreateOwnerLinkInput {
    /// The subscriptions, all of one tenant; at most 100.
    subscription_ids: Vec<ID>,
    /// For how many days it is good: at least 1, at most 30.
    #[graphql(default = 7)]
    expires_in: i32,
    /// What it is for, for yourselves: at most 200 characters. Whoever follows the link is not shown this.
    #[graphql(default)]
    note: String,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The owner link that was created, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "CreateOwnerLinkPayload")]
pub struct CreateOwnerLinkPayload {
    /// The owner link.
    owner_link: Option<OwnerLink>,
    /// What to send to the owner. It is shown this once.
    link: Option<String>,
    /// Why there is none.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct CreateOwnerLink;

#[Object(name = "CreateOwnerLinkMutation")]
impl CreateOwnerLink {
    /// Creates a link for an owner of subscriptions who has no account here. Whoever opens it is shown who asks, for
    /// which subscriptions, and can start this one consent; nothing else. It is good until that is granted, it
    /// expires, it is revoked, or whoever created it may not ask for consents any more. Needs the role `EDITOR`, or
    /// the scope `consents:write`.
    /// `userErrors`: `NOT_FOUND`, `INVALID_SELECTION`, `DIFFERENT_TENANTS`, `NOT_CONNECTED`,
    /// `INVALID_EXPIRY`, `INVALID_NAME`, `OUTSIDE_REACH`.
    async fn create_owner_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What an owner is to be asked for.")] input: CreateOwnerLinkInput,
    ) -> Option<CreateOwnerLinkPayload> {
        let outcome = create(ctx, &input).await;
        or_null(
            ctx,
            outcome.map(|outcome| {
                let (created, user_errors) = halves(outcome);
                let (row, link) = created.unzip();
                Some(CreateOwnerLinkPayload {
                    owner_link: row.and_then(object),
                    link: link.map(String::from),
                    user_errors,
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

async fn create(ctx: &Context<'_>, input: &CreateOwnerLinkInput) -> Outcome<(owner_link::Model, Url)> {
    let scope = Scope::of(ctx, Permission::StartConsents)?;
    let days = TimeDelta::days(input.expires_in.into());
    let refused = |code, field: &str, message: String| Ok(Err(UserError::new(code, field, message)));
    if days < TimeDelta::days(1) || days > LONGEST {
        let message = format!("Give a number of days from 1 to {}.", LONGEST.num_days());
        return refused(UserErrorCode::InvalidExpiry, "expiresIn", message);
    }
    let note = input.note.trim();
    if note.chars().count() > LONGEST_NOTE || note.contains(char::is_control) {
        let message = format!("Give a note of at most {LONGEST_NOTE} characters, in one line, or none.");
        return refused(UserErrorCode::InvalidName, "note", message);
    }
    if !(1..=MOST).contains(&input.subscription_ids.len()) {
        let message = format!("Name at least one subscription, and at most {MOST}.");
        return refused(UserErrorCode::InvalidSelection, "subscriptionIds", message);
    }
    let mut subscriptions = Kind::Subscription.rows(&input.subscription_ids)?;
    subscriptions.sort_unstable();
    subscriptions.dedup();
    let stored = store(scope, subscriptions, note, days).await.map_err(|error| internal(&error))?;
    Ok(stored.map(|(row, secret)| (row, link(&scope.services.public_url, &secret))))
}

async fn store(
    scope: Scope<'_>,
    subscriptions: Vec<Uuid>,
    note: &str,
    lifetime: TimeDelta,
) -> Result<Result<(owner_link::Model, SecretString), UserError>, DbErr> {
    let transaction = scope.begin().await?;
    let tenant_id = match tenant_of(scope, &subscriptions, &transaction).await? {
        Ok(tenant_id) => tenant_id,
        Err(error) => return Ok(Err(error)),
    };
    let now = scope.services.clock.now();
    let access_token_id = match scope.viewer.actor {
        Actor::Member(_) => None,
        Actor::AccessToken { id, .. } => Some(id),
    };
    let wanted = Wanted {
        organization_id: scope.viewer.organization_id,
        tenant_id,
        subscriptions,
        note: note.to_owned(),
        created_by: scope.viewer.member_id,
        access_token_id,
        expires_at: now + lifetime,
    };
    let (row, secret) = wanted.created(now);
    let row = row.insert(&transaction).await?;
    // Not its note, into which a person may write anything.
    let named = row.subscriptions.0.iter().map(|id| Kind::Subscription.id(*id));
    let record = Record::of(Action::OwnerLinkCreated, ObjectKind::OwnerLink, row.id).after(json!({
        "tenant": Kind::Tenant.id(tenant_id),
        "subscriptions": named.collect::<Vec<_>>(),
        "expiresAt": row.expires_at,
    }));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    tracing::info!(owner_link.id = %row.id, "owner link created");
    Ok(Ok((row, secret)))
}

/// The one tenant of these subscriptions, all of which the viewer reaches.
async fn tenant_of(
    scope: Scope<'_>,
    subscriptions: &[Uuid],
    transaction: &DatabaseTransaction,
) -> Result<Result<Uuid, UserError>, DbErr> {
    let refused = |code, message| Ok(Err(UserError::new(code, "subscriptionIds", message)));
    let found = scope
        .owned::<subscription::Entity>()
        .filter(subscription::Column::Id.is_in(subscriptions.iter().copied()))
        .all(transaction)
        .await?;
    if found.len() < subscriptions.len() {
        return refused(UserErrorCode::NotFound, "Not all of these subscriptions are in your organization.");
    }
    let tenant_id = found[0].tenant_id;
    let tenant = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(tenant_id));
    let tenant = tenant.one(transaction).await?;
    if let Some(error) = tenant.and_then(|tenant| not_connected(&tenant, "subscriptionIds")) {
        return Ok(Err(error));
    }
    if found.iter().any(|subscription| subscription.tenant_id != tenant_id) {
        let message = "These subscriptions are of different tenants. Create a link for each tenant.";
        return refused(UserErrorCode::DifferentTenants, message);
    }
    if let Some(holder) = scope.viewer.limited_by {
        let whole = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(tenant_id));
        let whole = whole.filter(reach::whole_tenants(tenant::Column::Id, holder));
        if whole.count(transaction).await? == 0 {
            let message = "You are limited to single subscriptions of this tenant, and would not see the link. Ask \
                           an ADMIN of your organization to create it.";
            return refused(UserErrorCode::OutsideReach, message);
        }
    }
    Ok(Ok(tenant_id))
}
