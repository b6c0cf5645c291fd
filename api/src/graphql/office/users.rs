//! The query `users`.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use entity::office::assigned_licence;
use entity::office::user::{self, Column};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, QueryFilter, QuerySelect, QueryTrait, Select};
use uuid::Uuid;

use super::{OfficeUser, search};
use crate::graphql::ids::Kind;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::resource::Presence;
use crate::graphql::scalars::Guid;
use crate::graphql::scope::Scope;
use crate::graphql::text::{check, folded};
use crate::permission::Permission;

/// Whether a user has licences.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "Licensing")]
pub enum Licensing {
    /// It has at least one.
    Licensed,
    /// It has none.
    Unlicensed,
}

/// Which users. What is given has to hold all at once; of a list, any one. An empty list lets nothing through.
#[derive(InputObject, Default)]
#[graphql(name = "OfficeUserFilter")]
pub struct OfficeUserFilter {
    /// In one of these tenants.
    tenants: Option<Vec<ID>>,
    /// Who may sign in, or who may not.
    is_enabled: Option<bool>,
    /// Who belong to another tenant, or to this one.
    is_guest: Option<bool>,
    /// In one of these departments, as they are written; the empty text is for users without one.
    departments: Option<Vec<String>>,
    /// With a licence of one of these products, by Microsoft's ids of them.
    sku_ids: Option<Vec<Guid>>,
    /// With licences, or without.
    licensing: Option<Licensing>,
    /// Still there, or deleted. `PRESENT` by default.
    presence: Option<Presence>,
}

/// What users can be ordered by.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "OfficeUserOrderField")]
pub enum OfficeUserOrderField {
    /// The name that people see, without regard to case.
    #[default]
    Name,
    /// When it was last seen to have changed.
    ChangedAt,
}

/// In which order users are listed.
#[derive(InputObject, Default)]
#[graphql(name = "OfficeUserOrder")]
pub struct OfficeUserOrder {
    /// By what.
    #[graphql(default)]
    field: OfficeUserOrderField,
    /// Which end comes first.
    #[graphql(default)]
    direction: OrderDirection,
}

/// The query of this file.
#[derive(Default)]
pub struct OfficeUsers;

#[Object(name = "OfficeUserQuery")]
impl OfficeUsers {
    /// The users of the tenants that are connected to Office 365.
    /// Needs the role `VIEWER`, or the scope `reports:read`.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all that are not deleted by default.")] filter: Option<
            OfficeUserFilter,
        >,
        #[graphql(
            desc = "Words, each of which has to be in the name that people see, or in the name to sign in with, \
                          in whichever case: at most 8 words of 200 characters in all."
        )]
        search: Option<String>,
        #[graphql(desc = "In which order.", default)] order: OfficeUserOrder,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<OfficeUser>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let mut rows = filter.unwrap_or_default().apply(scope, scope.owned())?;
        if let Some(search) = search {
            let backend = scope.backend();
            let texts = [folded(backend, Column::DisplayName), Expr::col(Column::FoldedName.as_column_ref())];
            rows = rows.filter(search::condition(backend, &search, &texts)?);
        }
        page(scope, rows, order.sort(scope), &Paging { first, after, last, before }).await
    }
}

impl OfficeUserFilter {
    fn apply(self, scope: Scope<'_>, mut list: Select<user::Entity>) -> Result<Select<user::Entity>> {
        if let Some(tenants) = self.tenants {
            check_length("tenants", &tenants)?;
            list = list.filter(Column::TenantId.is_in(Kind::Tenant.rows(&tenants)?));
        }
        if let Some(is_enabled) = self.is_enabled {
            list = list.filter(Column::IsEnabled.eq(is_enabled));
        }
        if let Some(is_guest) = self.is_guest {
            list = list.filter(Column::IsGuest.eq(is_guest));
        }
        if let Some(departments) = self.departments {
            list = list.filter(in_departments(departments)?);
        }
        if let Some(skus) = self.sku_ids {
            check_length("skuIds", &skus)?;
            list = list.filter(Column::Id.in_subquery(with_licences(scope, skus).into_query()));
        }
        list = match self.licensing {
            Some(Licensing::Licensed) => list.filter(Column::LicenceCount.gt(0)),
            Some(Licensing::Unlicensed) => list.filter(Column::LicenceCount.eq(0)),
            None => list,
        };
        Ok(match self.presence.unwrap_or_default() {
            Presence::Present => list.filter(Column::DeletedAt.is_null()),
            Presence::Deleted => list.filter(Column::DeletedAt.is_not_null()),
            Presence::Any => list,
        })
    }
}

fn in_departments(departments: Vec<String>) -> Result<Condition> {
    check_length("departments", &departments)?;
    for department in &departments {
        check("departments", department)?;
    }
    let with_none = departments.iter().any(String::is_empty);
    let any = Condition::any().add(Column::Department.is_in(departments));
    Ok(if with_none { any.add(Column::Department.is_null()) } else { any })
}

/// The ids of users who have a licence of one of these products.
fn with_licences(scope: Scope<'_>, skus: Vec<Guid>) -> Select<assigned_licence::Entity> {
    scope
        .owned::<assigned_licence::Entity>()
        .filter(assigned_licence::Column::SkuId.is_in(skus.into_iter().map(Uuid::from)))
        .select_only()
        .column(assigned_licence::Column::UserId)
}

impl OfficeUserOrder {
    fn sort(&self, scope: Scope<'_>) -> Sort<user::Model> {
        let direction = self.direction;
        match self.field {
            OfficeUserOrderField::Name => Sort {
                name: "name",
                expression: folded(scope.backend(), Column::DisplayName),
                key: KeyOf::Text(|row| row.display_name.to_ascii_lowercase()),
                direction,
            },
            OfficeUserOrderField::ChangedAt => Sort {
                name: "changed_at",
                expression: Expr::col(Column::ChangedAt.as_column_ref()),
                key: KeyOf::Moment(|row| row.changed_at),
                direction,
            },
        }
    }
}
