//! The licences that are assigned to a user.

use std::collections::HashMap;

use async_graphql::SimpleObject;
use entity::office::assigned_licence::{self, Column};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::purchased::{Products, name_of};
use crate::graphql::scalars::Guid;
use crate::graphql::scope::Scope;

/// A licence that is assigned to a user.
#[derive(SimpleObject)]
#[graphql(name = "OfficeLicence")]
pub struct OfficeLicence {
    /// Microsoft's id of the product.
    sku_id: Guid,
    /// The product: its name, or its part number, or its id, whichever of these is known first.
    product: String,
}

impl OfficeLicence {
    /// Of a product, by what the tenant has bought.
    pub fn of(sku_id: Uuid, bought: Option<&Products>) -> Self {
        let product = name_of(sku_id, bought.and_then(|bought| bought.get(&sku_id)));
        Self { sku_id: sku_id.into(), product }
    }
}

/// Microsoft's ids of the products whose licences these users have.
pub async fn of_users(scope: Scope<'_>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<Uuid>>, DbErr> {
    let rows = scope.owned::<assigned_licence::Entity>().filter(Column::UserId.is_in(ids));
    let mut found = HashMap::<Uuid, Vec<Uuid>>::new();
    for row in rows.order_by_asc(Column::SkuId).all(scope.database()).await? {
        found.entry(row.user_id).or_default().push(row.sku_id);
    }
    Ok(found)
}
