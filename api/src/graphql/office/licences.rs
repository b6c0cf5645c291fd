//! The query `licences`.

use std::collections::{BTreeSet, HashMap};

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use entity::office::feed::Kind;
use entity::office::{assigned_licence, connection, user};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QuerySelect, QueryTrait, Select};
use uuid::Uuid;

use super::activity::{Activity, check_days, users, users_of};
use super::connection::ConcealedNames;
use super::current::{Current, connected};
use super::permission::{NotGranted, ORGANIZATION};
use super::purchased::{Products, Purchased, name_of, of_tenants};
use super::service::OfficeService;
use crate::graphql::int;
use crate::graphql::pager::{Key, Listing, Paging, Position, cut};
use crate::graphql::scalars::{Date, Guid};
use crate::graphql::scope::{Scope, internal, or_null};
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct LicencesQuery;

#[Object(name = "LicencesQuery")]
impl LicencesQuery {
    /// The licences of a tenant, product by product: how many are assigned, how many of these to users who are not
    /// active or may not sign in, and how many were bought; null if the tenant is not connected to Office 365.
    /// Needs the role `VIEWER`, or the scope `reports:read`.
    async fn licences(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant's id.")] tenant_id: ID,
        #[graphql(
            desc = "For how many days before the report refresh date a user was not active: 1 to 180.",
            default = 30
        )]
        days: i32,
    ) -> Option<Licences> {
        or_null(ctx, read(ctx, &tenant_id, days).await)
    }
}

async fn read(ctx: &Context<'_>, tenant_id: &ID, days: i32) -> Result<Option<Licences>> {
    let scope = Scope::of(ctx, Permission::ReadReports)?;
    let days = check_days(days)?;
    let Some(connection) = connected(scope, tenant_id).await? else { return Ok(None) };
    let current = Current::longest(scope, connection.tenant_id, Kind::UserActivity).await;
    let current = current.map_err(|error| internal(&error))?;
    Ok(Some(Licences { connection, current, days }))
}

/// The licences of a tenant.
pub struct Licences {
    connection: connection::Model,
    current: Current,
    days: u32,
}

/// The licences of a tenant.
#[Object(name = "Licences")]
impl Licences {
    /// The last day that the report of last activities covers; null: none was loaded yet.
    async fn report_refresh_date(&self) -> Option<Date> {
        self.current.report_refresh_date()
    }

    /// How many days ago that is.
    async fn age_days(&self) -> Option<i32> {
        self.current.age_days()
    }

    /// That names are concealed, so that nobody knows who is active; null if they are not.
    async fn concealed_names(&self) -> Option<ConcealedNames> {
        self.current.concealed_names(&self.connection)
    }

    /// Product by product, by name.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<LicencesOfProduct>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let counted = self.count(scope).await.map_err(|error| internal(&error))?;
        let mut named: Vec<_> =
            counted.skus().into_iter().map(|sku| (name_of(sku, counted.bought.get(&sku)), sku)).collect();
        named.sort_unstable();
        let position = |(name, sku): &(String, Uuid)| Position { key: Key::Text(name.clone()), id: *sku };
        let is_granted = self.connection.may(ORGANIZATION);
        let together = |page: &[(String, Uuid)]| {
            page.iter().map(|(name, sku)| counted.product(name, *sku, is_granted)).collect()
        };
        cut(&named, "product", position, together, &Paging { first, after, last, before })
    }
}

impl Licences {
    async fn count(&self, scope: Scope<'_>) -> Result<Counted, DbErr> {
        let tenant_id = self.connection.tenant_id;
        let all = || users(scope, tenant_id);
        let disabled = all().filter(user::Column::IsEnabled.eq(false));
        let (active, inactive) = match Activity::of(scope, &self.current, self.days) {
            Some(activity) => {
                let active = users_of(all(), activity.active());
                let inactive = users_of(all(), activity.inactive(&[OfficeService::Office365]));
                let (active, inactive) = (by_product(scope, active), by_product(scope, inactive));
                (Some(active.await?), Some(inactive.await?))
            }
            None => (None, None),
        };
        Ok(Counted {
            assigned: by_product(scope, all()).await?,
            disabled: by_product(scope, disabled).await?,
            active,
            inactive,
            bought: of_tenants(scope, vec![tenant_id]).await?.remove(&tenant_id).unwrap_or_default(),
        })
    }
}

/// Licences by product.
type ByProduct = HashMap<Uuid, i64>;

struct Counted {
    assigned: ByProduct,
    disabled: ByProduct,
    active: Option<ByProduct>,
    inactive: Option<ByProduct>,
    bought: Products,
}

impl Counted {
    fn skus(&self) -> BTreeSet<Uuid> {
        self.assigned.keys().chain(self.bought.keys()).copied().collect()
    }

    fn product(&self, name: &str, sku: Uuid, is_granted: bool) -> LicencesOfProduct {
        let of = |counts: &ByProduct| int(counts.get(&sku).copied().unwrap_or_default());
        LicencesOfProduct {
            sku_id: sku.into(),
            product: name.to_owned(),
            assigned: of(&self.assigned),
            active: self.active.as_ref().map(of),
            inactive: self.inactive.as_ref().map(of),
            assigned_to_disabled: of(&self.disabled),
            purchased: if is_granted {
                self.bought.get(&sku).map(|row| Purchased::Totals(row.into()))
            } else {
                Some(Purchased::NotGranted(NotGranted { permission: ORGANIZATION }))
            },
        }
    }
}

/// How many licences of each product these users have.
async fn by_product(scope: Scope<'_>, users: Select<user::Entity>) -> Result<ByProduct, DbErr> {
    use assigned_licence::Column;
    let users = users.select_only().column(user::Column::Id).into_query();
    let counts = scope
        .owned::<assigned_licence::Entity>()
        .filter(Column::UserId.in_subquery(users))
        .select_only()
        .column(Column::SkuId)
        .expr(Expr::cust("count(*)"))
        .group_by(Column::SkuId)
        .into_tuple::<(Uuid, i64)>();
    Ok(counts.all(scope.database()).await?.into_iter().collect())
}

/// The licences of a product.
#[derive(SimpleObject)]
#[graphql(name = "LicencesOfProduct")]
pub struct LicencesOfProduct {
    /// Microsoft's id of the product.
    sku_id: Guid,
    /// The product: its name, or its part number, or its id, whichever of these is known first.
    product: String,
    /// How many are assigned to users.
    assigned: i32,
    /// How many of these to users who were active; null: names are concealed, or no report was loaded yet.
    active: Option<i32>,
    /// How many of these to users who were not, though they were there for as long; null likewise. Who is not in the
    /// report is neither.
    inactive: Option<i32>,
    /// How many of these to users who may not sign in.
    assigned_to_disabled: i32,
    /// How many were bought, or that the permission for that is not granted; null: none is known of.
    purchased: Option<Purchased>,
}
