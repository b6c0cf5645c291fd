//! The mutation `changeOrganization`: changes the organization's settings.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use entity::audit_event::{Action, ObjectKind, Record};
use entity::organization;
use sea_orm::{ActiveEnum, ActiveModelTrait, ColumnTrait, DbErr, QueryFilter, QuerySelect, Set, Unchanged};
use serde_json::{Value, json};

use super::Organization;
use crate::graphql::scope::{Scope, internal, missing, or_null};
use crate::graphql::stored::object;
use crate::graphql::tag_name::ConflictPolicy;
use crate::graphql::user_error::UserError;
use crate::permission::Permission;

/// What to change; what is left out stays.
#[derive(InputObject)]
#[graphql(name = "ChangeOrganizationInput")]
pub struct ChangeOrganizationInput {
    /// Whether Reader stays beside Tag Contributor where tags are written. Counts from the next change of access on.
    keep_reader: Option<bool>,
    /// What happens in conflicts of tags about whose names nothing else is decided. Counts for what is written from now on.
    conflict_policy: Option<ConflictPolicy>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The organization as it is now.
#[derive(SimpleObject)]
#[graphql(name = "ChangeOrganizationPayload")]
pub struct ChangeOrganizationPayload {
    /// The organization.
    organization: Option<Organization>,
    /// Why nothing was changed. It is empty: nothing that a person could mend refuses this.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct ChangeOrganization;

#[Object(name = "ChangeOrganizationMutation")]
impl ChangeOrganization {
    /// Changes settings of the viewer's organization. Needs the role `ADMIN`; no access token may do it.
    /// `userErrors`: none.
    async fn change_organization(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: ChangeOrganizationInput,
    ) -> Option<ChangeOrganizationPayload> {
        let changed = change(ctx, &input).await;
        or_null(
            ctx,
            changed.map(|organization| {
                Some(ChangeOrganizationPayload {
                    organization: object(organization),
                    user_errors: Vec::new(),
                    client_mutation_id: input.client_mutation_id,
                })
            }),
        )
    }
}

async fn change(ctx: &Context<'_>, input: &ChangeOrganizationInput) -> Result<organization::Model> {
    let scope = Scope::of(ctx, Permission::ChangeOrganization)?;
    let changed = store(scope, input).await.map_err(|error| internal(&error))?;
    changed.ok_or_else(|| missing("the viewer's organization"))
}

async fn store(
    scope: Scope<'_>,
    input: &ChangeOrganizationInput,
) -> Result<Option<organization::Model>, DbErr> {
    let transaction = scope.begin().await?;
    let found = scope
        .owned::<organization::Entity>()
        .filter(organization::Column::Id.eq(scope.viewer.organization_id))
        .lock_exclusive()
        .one(&transaction)
        .await?;
    let Some(before) = found else { return Ok(None) };
    let mut after = before.clone();
    after.keep_reader = input.keep_reader.unwrap_or(before.keep_reader);
    after.conflict_policy = input.conflict_policy.map_or(before.conflict_policy, Into::into);
    if after == before {
        return Ok(Some(before));
    }
    let record = Record::of(Action::OrganizationChanged, ObjectKind::Organization, before.id)
        .before(told(&before))
        .after(told(&after));
    let changed = organization::ActiveModel {
        id: Unchanged(before.id),
        keep_reader: Set(after.keep_reader),
        conflict_policy: Set(after.conflict_policy),
        ..Default::default()
    };
    let changed = changed.update(&transaction).await?;
    scope.audit(&transaction, record).await?;
    transaction.commit().await?;
    Ok(Some(changed))
}

fn told(organization: &organization::Model) -> Value {
    json!({
        "keepReader": organization.keep_reader, "conflictPolicy": organization.conflict_policy.to_value(),
    })
}
