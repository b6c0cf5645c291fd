//! The query `groups`, and how groups are filtered and ordered wherever they are listed.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use entity::office::group::{self, Column};
use entity::office::{membership, user};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::group::OfficeGroupKind;
use super::{OfficeGroup, search};
use crate::graphql::ids::Kind;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::resource::Presence;
use crate::graphql::scope::Scope;
use crate::graphql::text::folded;
use crate::permission::Permission;

/// Which groups. What is given has to hold all at once; of a list, any one. An empty list lets nothing through.
#[derive(InputObject, Default)]
#[graphql(name = "OfficeGroupFilter")]
pub struct OfficeGroupFilter {
    /// In one of these tenants.
    tenants: Option<Vec<ID>>,
    /// Of one of these kinds.
    kinds: Option<Vec<OfficeGroupKind>>,
    /// Without any direct member, of whichever kind, or with one at least.
    is_empty: Option<bool>,
    /// Still there, or deleted. `PRESENT` by default.
    presence: Option<Presence>,
}

/// What groups can be ordered by.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "OfficeGroupOrderField")]
pub enum OfficeGroupOrderField {
    /// The name that people see, without regard to case.
    #[default]
    Name,
    /// How many direct members it has.
    MemberCount,
}

/// In which order groups are listed.
#[derive(InputObject, Default)]
#[graphql(name = "OfficeGroupOrder")]
pub struct OfficeGroupOrder {
    /// By what.
    #[graphql(default)]
    field: OfficeGroupOrderField,
    /// Which end comes first.
    #[graphql(default)]
    direction: OrderDirection,
}

/// The query of this file.
#[derive(Default)]
pub struct OfficeGroups;

#[Object(name = "OfficeGroupQuery")]
impl OfficeGroups {
    /// The groups of the tenants that are connected to Office 365.
    /// Needs the role `VIEWER`, or the scope `reports:read`.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all that are not deleted by default.")] filter: Option<
            OfficeGroupFilter,
        >,
        #[graphql(
            desc = "Words, each of which has to be in the name that people see, in whichever case: at most 8 \
                          words of 200 characters in all."
        )]
        search: Option<String>,
        #[graphql(desc = "In which order.", default)] order: OfficeGroupOrder,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<OfficeGroup>> {
        let scope = Scope::of(ctx, Permission::ReadReports)?;
        let mut groups = filter.unwrap_or_default().apply(scope.owned())?;
        if let Some(search) = search {
            let backend = scope.backend();
            let texts = [folded(backend, Column::DisplayName)];
            groups = groups.filter(search::condition(backend, &search, &texts)?);
        }
        list(scope, groups, &order, &Paging { first, after, last, before }).await
    }
}

/// A page of these groups.
pub async fn list(
    scope: Scope<'_>,
    groups: Select<group::Entity>,
    order: &OfficeGroupOrder,
    paging: &Paging,
) -> Result<Connection<OfficeGroup>> {
    page(scope, groups, order.sort(scope), paging).await
}

/// The groups that are there of which a user is a direct member.
pub fn of_user(scope: Scope<'_>, user: &user::Model) -> Select<group::Entity> {
    let groups = scope
        .owned::<membership::Entity>()
        .filter(membership::Column::MemberId.eq(user.entra_user_id))
        .filter(membership::Column::TenantId.eq(user.tenant_id))
        .select_only()
        .column(membership::Column::GroupId);
    let list = scope.owned::<group::Entity>().filter(Column::Id.in_subquery(groups.into_query()));
    list.filter(Column::DeletedAt.is_null())
}

impl OfficeGroupFilter {
    fn apply(self, mut list: Select<group::Entity>) -> Result<Select<group::Entity>> {
        if let Some(tenants) = self.tenants {
            check_length("tenants", &tenants)?;
            list = list.filter(Column::TenantId.is_in(Kind::Tenant.rows(&tenants)?));
        }
        if let Some(kinds) = self.kinds {
            check_length("kinds", &kinds)?;
            list = list.filter(Column::Kind.is_in(kinds.into_iter().map(group::Kind::from)));
        }
        list = match self.is_empty {
            Some(true) => list.filter(Column::MemberCount.eq(0)),
            Some(false) => list.filter(Column::MemberCount.gt(0)),
            None => list,
        };
        Ok(match self.presence.unwrap_or_default() {
            Presence::Present => list.filter(Column::DeletedAt.is_null()),
            Presence::Deleted => list.filter(Column::DeletedAt.is_not_null()),
            Presence::Any => list,
        })
    }
}

impl OfficeGroupOrder {
    fn sort(&self, scope: Scope<'_>) -> Sort<group::Model> {
        let direction = self.direction;
        match self.field {
            OfficeGroupOrderField::Name => Sort {
                name: "name",
                expression: folded(scope.backend(), Column::DisplayName),
                key: KeyOf::Text(|row| row.display_name.to_ascii_lowercase()),
                direction,
            },
            OfficeGroupOrderField::MemberCount => Sort {
                name: "member_count",
                expression: Expr::col(Column::MemberCount.as_column_ref()),
                key: KeyOf::Number(|row| row.member_count),
                direction,
            },
        }
    }
}
