//! What a tenant has bought of a product, and what products are called.

use std::collections::HashMap;

use async_graphql::{SimpleObject, Union};
use entity::office::purchased_licence::{self, Column};
use microsoft::product_name;
use sea_orm::{ColumnTrait, DbErr, QueryFilter};
use uuid::Uuid;

use super::permission::NotGranted;
use crate::graphql::int;
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::Scope;

/// How many licences of a product the tenant has bought, or why that is not known.
#[derive(Union)]
#[graphql(name = "Purchased")]
pub enum Purchased {
    /// They are known.
    Totals(PurchasedTotals),
    /// The permission is not granted.
    NotGranted(NotGranted),
}

/// How many licences of a product the tenant has bought.
#[derive(SimpleObject)]
#[graphql(name = "PurchasedTotals")]
pub struct PurchasedTotals {
    /// Licences that may be used.
    enabled: i32,
    /// Licences of a subscription that was cancelled.
    suspended: i32,
    /// Licences of a subscription that has run out and can be renewed still.
    warning: i32,
    /// Licences that are in use.
    consumed: i32,
    /// Whether they may be used, in Microsoft's words: `Enabled`, `Warning`, `Suspended`, `Deleted`, `LockedOut`.
    capability_status: String,
    /// Whether they are assigned to users, and not to the company as a whole.
    is_per_user: bool,
    /// When this was read.
    read_at: DateTime,
}

impl From<&purchased_licence::Model> for PurchasedTotals {
    fn from(row: &purchased_licence::Model) -> Self {
        Self {
            enabled: int(row.enabled),
            suspended: int(row.suspended),
            warning: int(row.warning),
            consumed: int(row.consumed),
            capability_status: row.capability_status.clone(),
            is_per_user: row.is_per_user,
            read_at: row.read_at.into(),
        }
    }
}

/// What tenants have bought, by product.
pub type Products = HashMap<Uuid, purchased_licence::Model>;

/// What each of these tenants has bought.
pub async fn of_tenants(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Products>, DbErr> {
    let rows = scope.owned::<purchased_licence::Entity>().filter(Column::TenantId.is_in(ids));
    let mut found = HashMap::<Uuid, Products>::new();
    for row in rows.all(scope.database()).await? {
        found.entry(row.tenant_id).or_default().insert(row.sku_id, row);
    }
    Ok(found)
}

/// What a product is called: as people know it, else by its part number, else by its id. It is never nothing.
pub fn name_of(sku_id: Uuid, purchased: Option<&purchased_licence::Model>) -> String {
    match (product_name(sku_id), purchased) {
        (Some(product), _) => product.name.clone(),
        (None, Some(row)) if !row.part_number.is_empty() => row.part_number.clone(),
        (None, _) => sku_id.to_string(),
    }
}
