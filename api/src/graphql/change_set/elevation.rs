//! The windows in which a change set holds roles for as long as it is written.

use std::collections::BTreeMap;

use entity::{Work, change_set, subscription, tenant};
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, QueryFilter, QuerySelect};
use uuid::Uuid;
use worker::access::SWAP;

use crate::consent::ask;
use crate::graphql::consent::keep_windows_open;
use crate::graphql::scope::Scope;
use crate::graphql::user_error::{UserError, UserErrorCode};

/// Open windows, by tenant.
pub type Windows = BTreeMap<Uuid, Uuid>;

/// Tenants whose subscriptions need a role, and of which none has a window that is open for long enough.
pub struct Closed {
    without_window: Vec<Uuid>,
    is_one_of_many: bool,
}

/// The open windows in which `change_set` can be elevated, which stay open until the transaction ends.
pub async fn windows(
    scope: Scope<'_>,
    change_set: &change_set::Model,
    transaction: &DatabaseTransaction,
) -> Result<Result<Windows, Closed>, DbErr> {
    let (organization_id, id) = (change_set.organization_id, change_set.id);
    let elevated = worker::change_set::elevated(transaction, organization_id, id, None).await?;
    let tenants: Vec<Uuid> = scope
        .owned::<subscription::Entity>()
        .filter(subscription::Column::Id.is_in(elevated))
        .select_only()
        .column(subscription::Column::TenantId)
        .distinct()
        .into_tuple()
        .all(transaction)
        .await?;
    let (mut open, mut without_window) = (Windows::new(), Vec::new());
    for tenant_id in &tenants {
        match keep_windows_open(scope, *tenant_id, SWAP, transaction).await?.first() {
            Some(consent) => {
                open.insert(*tenant_id, consent.id);
            }
            None => without_window.push(*tenant_id),
        }
    }
    let is_one_of_many = tenants.len() > 1;
    let closed = Closed { without_window, is_one_of_many };
    Ok(if closed.without_window.is_empty() { Ok(open) } else { Err(closed) })
}

impl Closed {
    /// Asks for the consent that is needed, after the transaction: the change set is written once it is granted.
    pub async fn ask(self, scope: Scope<'_>, change_set_id: Uuid) -> Result<UserError, DbErr> {
        let field = "changeSetId";
        if self.is_one_of_many {
            let message = format!(
                "Roles are needed at subscriptions of several tenants, and {} of those have no open consent window. \
                 Let an owner of each consent by startConsent with `holdWindow`, and apply it while the windows are \
                 open; or plan a change set for each tenant.",
                self.without_window.len()
            );
            return Ok(UserError::new(UserErrorCode::DifferentTenants, field, message));
        }
        let tenant = scope.owned::<tenant::Entity>().filter(tenant::Column::Id.is_in(self.without_window));
        let tenant = tenant.one(scope.database()).await?;
        let tenant =
            tenant.ok_or_else(|| DbErr::RecordNotFound("the tenant of a subscription".to_owned()))?;
        let work = Work::ApplyChangeSet { change_set_id };
        let (_, url) = ask(scope.services, scope.asking(tenant.entra_tenant_id, work)).await?;
        let message = "The role is held as long as tags are written, and assigned as a user who may do that: no \
                       consent window is open for it. Let an owner of the subscriptions consent at `consentUrl`; the \
                       change set is written by itself then.";
        Ok(UserError::needs_consent(field, message, url.into()))
    }
}
