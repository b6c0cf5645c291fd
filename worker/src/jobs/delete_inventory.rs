//! Deletes the inventory of a disconnected tenant: resources, subscriptions and what is known of their roles, and what was
//! read of Office 365.
//!
//! What Tenantry created in Azure and could not remove is remembered with its subscription until it is removed:
//! forgotten, nobody could.

use chrono::{DateTime, Utc};
use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::role_assignment::{self, Origin};
use entity::tenant::{self, State};
use entity::{Owned, office, resource, resource_change, subscription, tag_write};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Set, Unchanged,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::job::{Job, JobError};
use crate::{audit, disconnect, transaction};

/// Rows that a transaction deletes at most.
const BATCH: u64 = 5_000;

/// One deletion. What it has deleted stays so, whenever it is interrupted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeleteInventory {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
}

impl DeleteInventory {
    /// The job that deletes the inventory of `tenant`.
    pub fn of(tenant: &tenant::Model) -> Self {
        Self { organization_id: tenant.organization_id, tenant_id: tenant.id }
    }

    /// The tenant, if its inventory is to be deleted still.
    async fn lock(&self, transaction: &DatabaseTransaction) -> Result<Option<tenant::Model>, DbErr> {
        let found = disconnect::lock(transaction, self.organization_id, self.tenant_id).await?;
        Ok(found.filter(|tenant| tenant.state == State::Disconnected && tenant.deleting_since.is_some()))
    }
}

impl Job for DeleteInventory {
    const NAME: &'static str = "delete-inventory";
    const CONCURRENCY: usize = 1;
    const MAX_ATTEMPTS: u32 = 20;
    type Context = Context;

    fn key(&self) -> String {
        self.tenant_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let subscriptions: Vec<Uuid> = subscription::Entity::owned_by(self.organization_id)
            .filter(subscription::Column::TenantId.eq(self.tenant_id))
            .select_only()
            .column(subscription::Column::Id)
            .order_by_asc(subscription::Column::Id)
            .into_tuple()
            .all(&context.database)
            .await?;
        for subscription_id in subscriptions {
            while self.delete_some(context, subscription_id).await? {}
        }
        while self.delete_some_of_office(context).await? {}
        self.end(context).await?;
        Ok(())
    }

    async fn give_up(&self, _: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        tracing::warn!(tenant.id = %self.tenant_id, error = format!("{why:#}"),
            "the inventory is not deleted yet; the sweep rings again");
        Ok(())
    }
}

/// Deletes some rows of a table that are of one subscription, or of one tenant.
async fn delete_batch<E: Owned>(
    transaction: &DatabaseTransaction,
    organization_id: Uuid,
    of: E::Column,
    of_id: Uuid,
    id: E::Column,
) -> Result<u64, DbErr> {
    let some = E::owned_by(organization_id).filter(of.eq(of_id));
    let some = some.select_only().column(id).limit(BATCH).into_query();
    Ok(E::delete_many().filter(id.in_subquery(some)).exec(transaction).await?.rows_affected)
}

impl DeleteInventory {
    /// Deletes a batch of one subscription. False: nothing is left of it that is to go.
    async fn delete_some(&self, context: &Context, subscription_id: Uuid) -> Result<bool, DbErr> {
        let transaction = transaction::begin(&context.database).await?;
        if self.lock(&transaction).await?.is_none() {
            return Ok(false);
        }
        let deleted = self.delete_rows(&transaction, subscription_id).await?;
        if deleted == 0 {
            self.delete_subscription(&transaction, subscription_id, context.clock.now()).await?;
        }
        transaction.commit().await?;
        Ok(deleted > 0)
    }

    /// What was written of the resources and what has changed of them goes before they do.
    async fn delete_rows(
        &self,
        transaction: &DatabaseTransaction,
        subscription_id: Uuid,
    ) -> Result<u64, DbErr> {
        use {resource::Column as Resource, resource_change::Column as Change, tag_write::Column as Write};
        let of = self.organization_id;
        let writes = delete_batch::<tag_write::Entity>(
            transaction,
            of,
            Write::SubscriptionId,
            subscription_id,
            Write::Id,
        );
        let deleted = writes.await?;
        if deleted > 0 {
            return Ok(deleted);
        }
        let changes = delete_batch::<resource_change::Entity>(
            transaction,
            of,
            Change::SubscriptionId,
            subscription_id,
            Change::Id,
        );
        let deleted = changes.await?;
        if deleted > 0 {
            return Ok(deleted);
        }
        let resources = delete_batch::<resource::Entity>(
            transaction,
            of,
            Resource::SubscriptionId,
            subscription_id,
            Resource::Id,
        );
        resources.await
    }

    /// Deletes a batch of what was read of Office 365. False: nothing is left of it.
    async fn delete_some_of_office(&self, context: &Context) -> Result<bool, DbErr> {
        let transaction = transaction::begin(&context.database).await?;
        if self.lock(&transaction).await?.is_none() {
            return Ok(false);
        }
        macro_rules! of_each {
            ($($table:ident),*) => {
                $({
                    let (of, id) = (office::$table::Column::TenantId, office::$table::Column::Id);
                    let (organization_id, tenant_id) = (self.organization_id, self.tenant_id);
                    if delete_batch::<office::$table::Entity>(&transaction, organization_id, of, tenant_id, id).await? > 0 {
                        transaction.commit().await?;
                        return Ok(true);
                    }
                })*
            };
        }
        of_each!(
            report_row,
            report,
            active_users,
            membership,
            group,
            assigned_licence,
            purchased_licence,
            user,
            feed,
            connection
        );
        Ok(false)
    }

    async fn delete_subscription(
        &self,
        transaction: &DatabaseTransaction,
        id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let left = role_assignment::Entity::owned_by(self.organization_id)
            .filter(role_assignment::Column::SubscriptionId.eq(id))
            .filter(role_assignment::Column::Origin.eq(Origin::Ours));
        if left.count(transaction).await? == 0 {
            // Its role assignments and the steps about it go with it.
            let gone = subscription::Entity::delete_many()
                .filter(subscription::Column::OrganizationId.eq(self.organization_id))
                .filter(subscription::Column::Id.eq(id));
            return gone.exec(transaction).await.map(drop);
        }
        let emptied = subscription::ActiveModel {
            resource_count: Set(0),
            scanned_at: Set(None),
            stale: Set(None),
            updated_at: Set(now),
            ..Default::default()
        };
        subscription::Entity::update_many()
            .set(emptied)
            .filter(subscription::Column::OrganizationId.eq(self.organization_id))
            .filter(subscription::Column::Id.eq(id))
            .exec(transaction)
            .await?;
        role_assignment::Entity::delete_many()
            .filter(role_assignment::Column::OrganizationId.eq(self.organization_id))
            .filter(role_assignment::Column::SubscriptionId.eq(id))
            .filter(role_assignment::Column::Origin.ne(Origin::Ours))
            .exec(transaction)
            .await?;
        Ok(())
    }

    async fn end(&self, context: &Context) -> Result<(), DbErr> {
        let now = context.clock.now();
        let transaction = transaction::begin(&context.database).await?;
        let Some(tenant) = self.lock(&transaction).await? else { return Ok(()) };
        let left =
            role_assignment::Entity::ours(self.organization_id, self.tenant_id).count(&transaction).await?;
        let ended = tenant::ActiveModel {
            id: Unchanged(tenant.id),
            deleting_since: Set(None),
            deleted_at: Set(Some(now)),
            updated_at: Set(now),
            ..Default::default()
        };
        ended.update(&transaction).await?;
        let record = Record::of(Action::InventoryDeleted, ObjectKind::Tenant, tenant.id)
            .before(json!({ "deletingSince": tenant.deleting_since }))
            .after(json!({ "deletedAt": now, "roleAssignmentsLeft": left }));
        let author = Author::unasked(tenant.organization_id, Actor::System);
        audit::append(&transaction, &context.keyring, now, &author, record).await?;
        transaction.commit().await?;
        tracing::info!(tenant.id = %tenant.id, "inventory deleted");
        Ok(())
    }
}
