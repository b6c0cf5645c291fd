//! The queries `changeSet`, `changeSets` and `tagConflicts`.

use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::change_set::{self, Column};
use entity::tag_write::{self, Outcome};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, Select};

use super::tag_write::by_id;
use super::{ChangeSet, ChangeSetPurpose, ChangeSetState, TagWrite};
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::scope::{Scope, or_null};
use crate::graphql::stored::find;
use crate::permission::Permission;

/// Which change sets. What is given has to hold all at once; of a list, any one. An empty list lets nothing through.
#[derive(InputObject, Default)]
#[graphql(name = "ChangeSetFilter")]
pub struct ChangeSetFilter {
    /// In one of these states.
    states: Option<Vec<ChangeSetState>>,
    /// For one of these purposes.
    purposes: Option<Vec<ChangeSetPurpose>>,
}

/// The queries of this file.
#[derive(Default)]
pub struct ChangeSets;

#[Object(name = "ChangeSetQuery")]
impl ChangeSets {
    /// One change set as it is now; null if there is none. Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn change_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change set's id.")] id: ID,
    ) -> Option<ChangeSet> {
        let found = async { find(Scope::of(ctx, Permission::ReadInventory)?, &id).await };
        or_null(ctx, found.await)
    }

    /// The change sets that members planned, the newest first. Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn change_sets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all of them by default.")] filter: Option<ChangeSetFilter>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ChangeSet>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let change_sets = filter.unwrap_or_default().apply(scope.owned())?;
        let sort = Sort {
            name: "created_at",
            expression: Expr::col(Column::CreatedAt.as_column_ref()),
            key: KeyOf::Moment(|row: &change_set::Model| row.created_at),
            direction: OrderDirection::Desc,
        };
        page(scope, change_sets, sort, &Paging { first, after, last, before }).await
    }

    /// The conflicts that wait for a decision, the oldest first: `after` is what is wanted here, `found` what Azure has,
    /// `before` what it was when the write was planned. Needs the role `VIEWER`, or the scope `inventory:read`.
    async fn tag_conflicts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<TagWrite>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let open = scope
            .owned::<tag_write::Entity>()
            .filter(tag_write::Column::Outcome.eq(Outcome::Conflict))
            .filter(tag_write::Column::ResolvedAt.is_null());
        page(scope, open, by_id(), &Paging { first, after, last, before }).await
    }
}

impl ChangeSetFilter {
    fn apply(self, mut list: Select<change_set::Entity>) -> Result<Select<change_set::Entity>> {
        if let Some(states) = self.states {
            check_length("states", &states)?;
            list = list.filter(Column::State.is_in(states.into_iter().map(change_set::State::from)));
        }
        if let Some(purposes) = self.purposes {
            check_length("purposes", &purposes)?;
            list = list.filter(Column::Purpose.is_in(purposes.into_iter().map(change_set::Purpose::from)));
        }
        Ok(list)
    }
}
