//! The mutation `changeTagName`: decides about a tag name.

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::change_set::{self, Purpose};
use entity::resource;
use entity::subscription::{self, AccessLevel};
use entity::tag_name::{self, Sync};
use entity::tags::{name_term, rules};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait,
};
use serde_json::{Value, json};
use uuid::Uuid;
use worker::change_set::{Draft, Request};

use super::{ConflictPolicy, TagNameSetting, TagSync};
use crate::graphql::change_set::ChangeSet;
use crate::graphql::resource::has_term;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, object};
use crate::graphql::user_error::{UserError, UserErrorCode};
use crate::permission::Permission;

/// Resources that are read at once.
const PAGE: u64 = 500;

/// What becomes of the other side's tags when a name is switched.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "TagSyncChange")]
pub enum TagSyncChange {
    /// They stay where they are.
    #[default]
    Leave,
    /// A change set is planned, to be reviewed and applied: it removes from Azure what lives here only from now on, or
    /// writes to Azure what lived here only.
    Plan,
}

/// What is decided about which name. What is left out stays as it is.
#[derive(InputObject)]
#[graphql(name = "ChangeTagNameInput")]
pub struct ChangeTagNameInput {
    /// The name, in whichever case.
    name: String,
    /// Whether tags of this name are kept in sync with Azure.
    sync: Option<TagSync>,
    /// What becomes of the tags in Azure when that is changed. What lives here is always kept.
    #[graphql(default)]
    in_azure: TagSyncChange,
    /// What happens in their conflicts; null: what the organization says.
    conflict_policy: MaybeUndefined<ConflictPolicy>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// What is decided now.
#[derive(SimpleObject)]
#[graphql(name = "ChangeTagNamePayload")]
pub struct ChangeTagNamePayload {
    /// What is decided about the name.
    tag_name_setting: Option<TagNameSetting>,
    /// What was planned, if that was asked for and there is something to write. Nothing of it is written until
    /// `applyChangeSet`.
    change_set: Option<ChangeSet>,
    /// Why nothing was changed.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ChangeTagName;

#[Object(name = "ChangeTagNameMutation")]
impl ChangeTagName {
    /// Decides about a tag name: whether it is kept in sync with Azure, and what happens in conflicts. Where it is
    /// switched off, what is here stays and lives here only; where it is switched on again, Azure's values count from the
    /// next scan on. Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: `INVALID_NAME`.
    async fn change_tag_name(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is decided, about which name.")] input: ChangeTagNameInput,
    ) -> Option<ChangeTagNamePayload> {
        let changed = change(ctx, &input).await;
        let client_mutation_id = input.client_mutation_id;
        or_null(
            ctx,
            changed.map(|changed| {
                let (setting, change_set, user_errors) = match changed {
                    Ok((setting, change_set)) => (Some(setting), change_set, Vec::new()),
                    Err(error) => (None, None, vec![error]),
                };
                Some(ChangeTagNamePayload {
                    tag_name_setting: setting.and_then(object),
                    change_set: change_set.and_then(object),
                    user_errors,
                    client_mutation_id,
                })
            }),
        )
    }
}

type Changed = (tag_name::Model, Option<change_set::Model>);

async fn change(ctx: &Context<'_>, input: &ChangeTagNameInput) -> Result<Result<Changed, UserError>> {
    let scope = Scope::of(ctx, Permission::ChangeOrganization)?;
    if let Some(problem) = rules::problems("", &input.name, None).first() {
        return Ok(Err(UserError::new(UserErrorCode::InvalidName, "name", problem.message.clone())));
    }
    store(scope, input).await.map(Ok).map_err(|error| internal(&error))
}

async fn store(scope: Scope<'_>, input: &ChangeTagNameInput) -> Result<Changed, DbErr> {
    let transaction = scope.begin().await?;
    let found = scope
        .owned::<tag_name::Entity>()
        .filter(tag_name::Column::Folded.eq(name_term(&input.name)))
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let before = found.unwrap_or_else(|| undecided(scope, &input.name));
    let mut after = before.clone();
    after.sync = input.sync.map_or(before.sync, Into::into);
    match input.conflict_policy {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => after.conflict_policy = None,
        MaybeUndefined::Value(policy) => after.conflict_policy = Some(policy.into()),
    }
    if after == before {
        return Ok((before, None));
    }
    after.updated_at = scope.services.clock.now();
    after.name.clone_from(&input.name);
    let stored = after.clone().into_active_model().reset_all();
    let stored = if is_stored(scope, before.id, &transaction).await? {
        stored.update(&transaction).await?
    } else {
        stored.insert(&transaction).await?
    };
    let is_switched = after.sync != before.sync && input.in_azure == TagSyncChange::Plan;
    let planned = if is_switched { plan(scope, &stored, &transaction).await? } else { None };
    let record = Record::of(Action::TagNameChanged, ObjectKind::TagName, stored.id)
        .before(told(&before, None))
        .after(told(&stored, planned.as_ref()));
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok((stored, planned))
}

async fn is_stored(scope: Scope<'_>, id: Uuid, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
    let found = scope.owned::<tag_name::Entity>().filter(tag_name::Column::Id.eq(id));
    Ok(found.one(transaction).await?.is_some())
}

fn undecided(scope: Scope<'_>, name: &str) -> tag_name::Model {
    tag_name::Model {
        id: Uuid::now_v7(),
        organization_id: scope.viewer.organization_id,
        name: name.to_owned(),
        folded: name_term(name),
        sync: Sync::On,
        conflict_policy: None,
        updated_at: scope.services.clock.now(),
    }
}

fn told(row: &tag_name::Model, change_set: Option<&change_set::Model>) -> Value {
    json!({
        "name": row.name, "sync": row.sync.to_value(),
        "conflictPolicy": row.conflict_policy.map(|policy| policy.to_value()),
        "changeSet": change_set.map(|change_set| ChangeSet::KIND.id(change_set.id)),
    })
}

/// Plans what makes Azure follow the switch. None: there is nothing to write.
async fn plan(
    scope: Scope<'_>,
    row: &tag_name::Model,
    transaction: &DatabaseTransaction,
) -> Result<Option<change_set::Model>, DbErr> {
    let (purpose, what) = match row.sync {
        Sync::Off => (Purpose::SyncOff, "Removal from Azure of"),
        Sync::On => (Purpose::SyncOn, "To Azure:"),
    };
    let request = Request {
        organization_id: scope.viewer.organization_id,
        member_id: scope.viewer.member_id,
        title: format!("{what} {}", row.name).chars().take(200).collect(),
        purpose,
        reverts_id: None,
        elevates: false,
    };
    let writable = scope
        .owned::<subscription::Entity>()
        .filter(subscription::Column::AccessLevel.eq(AccessLevel::WriteTags))
        .select_only()
        .column(subscription::Column::Id);
    let tagged = scope
        .owned::<resource::Entity>()
        .filter(resource::Column::SubscriptionId.in_subquery(writable.into_query()))
        .filter(resource::Column::DeletedAt.is_null())
        .filter(has_term(scope.backend(), row.folded.clone()));
    let mut draft = Draft::begin(transaction, request, scope.services.clock.now()).await?;
    let mut last = Uuid::nil();
    loop {
        let page = tagged.clone().filter(resource::Column::Id.gt(last));
        let page = page.order_by_asc(resource::Column::Id).limit(PAGE).all(transaction).await?;
        let Some(end) = page.last() else { break };
        last = end.id;
        for resource in &page {
            let Some((name, value)) = resource.tags.find(&row.name) else { continue };
            let write = match row.sync {
                Sync::Off => draft.write(resource, name, Some((name, value)), None),
                Sync::On => draft.write(resource, name, None, Some(value)),
            };
            draft.add_writes(resource, vec![write]).await?;
        }
    }
    let planned = draft.finish().await?;
    if planned.writes == 0 {
        sea_orm::ModelTrait::delete(planned, transaction).await?;
        return Ok(None);
    }
    Ok(Some(planned))
}
