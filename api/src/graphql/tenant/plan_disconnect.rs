//! The query `planDisconnect`: what a disconnection removes, what stays, and what people have to do themselves.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::role_assignment::{self, Origin};
use entity::tenant;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, Select};
use uuid::Uuid;
use worker::window::CHANGE;

use super::Tenant;
use crate::graphql::batch::Batch;
use crate::graphql::consent::open_windows;
use crate::graphql::failure::FixableBy;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, page};
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::{Scope, internal, or_null};
use crate::graphql::stored::{Identified, Row, Stored, object};
use crate::graphql::subscription::{AzureSubscription, RoleAssignment};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct PlanDisconnect;

#[Object(name = "PlanDisconnectQuery")]
impl PlanDisconnect {
    /// What `disconnectTenant` would do about a tenant now, and what people have to do themselves; null if there is
    /// no such tenant. Nothing is changed and Microsoft is not asked.
    /// Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn plan_disconnect(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant.")] tenant_id: ID,
    ) -> Option<DisconnectPlan> {
        let plan = async {
            let scope = Scope::of(ctx, Permission::ReadInventory)?;
            let id = Tenant::KIND.row(&tenant_id)?;
            let found = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.eq(id));
            let found = found.one(scope.database()).await.map_err(|error| internal(&error))?;
            Ok(found.map(DisconnectPlan::of))
        };
        or_null(ctx, plan.await)
    }
}

/// What a disconnection does.
pub struct DisconnectPlan {
    row: tenant::Model,
}

impl DisconnectPlan {
    /// Of the tenant of this row.
    pub fn of(row: tenant::Model) -> Self {
        Self { row }
    }

    async fn assignments(
        &self,
        ctx: &Context<'_>,
        is_ours: bool,
        paging: Paging,
    ) -> Result<Connection<PlannedRoleAssignment>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let origin = role_assignment::Column::Origin;
        let which = if is_ours { origin.eq(Origin::Ours) } else { origin.ne(Origin::Ours) };
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(role_assignment::Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|assignment: &role_assignment::Model| assignment.created_at),
            direction: OrderDirection::Asc,
        };
        page(scope, self.of_tenant(scope).filter(which), sort, &paging).await
    }

    fn of_tenant(&self, scope: Scope<'_>) -> Select<role_assignment::Entity> {
        let all = role_assignment::Entity::of_tenant(self.row.organization_id, self.row.id);
        match scope.viewer.limited_by {
            Some(holder) => <role_assignment::Entity as entity::Owned>::within(all, holder),
            None => all,
        }
    }
}

/// What disconnecting a tenant does: what is removed in a consent window, what stays, and what people have to do
/// themselves. Needs the role `VIEWER`, or the scope `inventory:read`.
#[Object(name = "DisconnectPlan")]
impl DisconnectPlan {
    /// The tenant.
    async fn tenant(&self) -> Option<Tenant> {
        object(self.row.clone())
    }

    /// Until when a consent window of the tenant is open, in which role assignments can be removed; null if none is.
    async fn window_closes_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        let closes_at = async {
            let scope = Scope::of(ctx, Permission::ReadInventory)?;
            let open = open_windows(scope, self.row.id, CHANGE).await.map_err(|error| internal(&error))?;
            Ok(open.first().and_then(|consent| consent.window_closes_at).map(Into::into))
        };
        or_null(ctx, closes_at.await)
    }

    /// Role assignments that Tenantry created. They are removed if a consent window is open, and are what has to be
    /// removed by hand otherwise: each says by which command.
    async fn removes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<PlannedRoleAssignment>> {
        self.assignments(ctx, true, Paging { first, after, last, before }).await
    }

    /// Role assignments that stay: Tenantry did not create them, and never touches them. They are void once the
    /// enterprise application is deleted.
    async fn stays(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<PlannedRoleAssignment>> {
        self.assignments(ctx, false, Paging { first, after, last, before }).await
    }

    /// What people have to do themselves, in this order.
    async fn manual_steps(&self, ctx: &Context<'_>) -> Result<Vec<ManualStep>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let ours = self.of_tenant(scope).filter(role_assignment::Column::Origin.eq(Origin::Ours));
        let left = ours.one(scope.database()).await.map_err(|error| internal(&error))?;
        let client_id = scope.services.microsoft.login().client_id();
        let roles = left.map(|_| ManualStep::roles());
        Ok(roles.into_iter().chain([ManualStep::application(client_id, self.row.entra_tenant_id)]).collect())
    }
}

/// Something that people have to do themselves.
#[derive(SimpleObject)]
#[graphql(name = "ManualStep")]
pub struct ManualStep {
    /// Who can do it.
    by: FixableBy,
    /// What to do, in the Azure portal.
    instruction: String,
    /// The same by command, each one ready to be run; any one of them is enough.
    commands: Vec<String>,
}

impl ManualStep {
    fn roles() -> Self {
        Self {
            by: FixableBy::SubscriptionOwner,
            instruction:
                "Remove the role assignments that Tenantry created and that were not removed in a consent \
                 window: in the Azure portal open each subscription of `removes`, Access control (IAM), Role \
                 assignments, and remove those of the enterprise application; or run the command of each."
                    .to_owned(),
            commands: Vec::new(),
        }
    }

    fn application(client_id: &str, entra_tenant_id: Uuid) -> Self {
        Self {
            by: FixableBy::GlobalAdministrator,
            instruction: format!(
                "Delete the enterprise application: in the Azure portal of the tenant {entra_tenant_id} open \
                 Microsoft Entra ID, Enterprise applications, the application with the id {client_id}, Properties, \
                 Delete. Tenantry cannot do that itself. Do it after the role assignments are removed: of a deleted \
                 application they stay listed as unknown."
            ),
            commands: vec![
                format!("az ad sp delete --id {client_id}"),
                format!(
                    "az rest --method DELETE --url \
                     \"https://graph.microsoft.com/v1.0/servicePrincipals(appId='{client_id}')\""
                ),
            ],
        }
    }
}

/// A role assignment of a plan.
pub struct PlannedRoleAssignment {
    row: role_assignment::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    subscriptions: Batch<AzureSubscription>,
}

impl Stored for PlannedRoleAssignment {
    type Entity = role_assignment::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: role_assignment::Column = role_assignment::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let subscriptions = Batch::of(rows.iter().map(|row| row.subscription_id));
        let siblings = Arc::new(Siblings { subscriptions });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

/// A role assignment of the service principal, in a plan.
#[Object(name = "PlannedRoleAssignment")]
impl PlannedRoleAssignment {
    /// The role assignment.
    async fn role_assignment(&self) -> RoleAssignment {
        self.row.clone().into()
    }

    /// The subscription that it gives access to.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<&AzureSubscription> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        self.siblings.subscriptions.one(scope, self.row.subscription_id).await
    }

    /// By which command an owner of the subscription removes it; null if Tenantry did not create it.
    async fn command(&self) -> Option<String> {
        let arm_id = &self.row.arm_id;
        (self.row.origin == Origin::Ours).then(|| format!("az role assignment delete --ids \"{arm_id}\""))
    }
}
