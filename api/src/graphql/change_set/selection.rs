//! Which resources a change is for: nothing is ever meant by leaving something out.

use async_graphql::{ID, InputObject, Result};
use entity::resource::{self, Column};
use sea_orm::{ColumnTrait, ConnectionTrait, PaginatorTrait, QueryFilter, Select};

use crate::graphql::ids::Kind;
use crate::graphql::resource::ResourceFilter;
use crate::graphql::scope::{Scope, internal};
use crate::graphql::user_error::{UserError, UserErrorCode};

/// The most resources that one change set is planned for.
pub const MOST: u64 = 20_000;

/// The most ids that are named at once.
const MOST_IDS: usize = 5_000;

/// Which resources: by their ids, by a filter, or every one. Exactly one of `ids`, `filter` and `all` is given.
#[derive(InputObject)]
#[graphql(name = "ResourceSelection")]
pub struct ResourceSelection {
    /// These; at most 5000.
    ids: Option<Vec<ID>>,
    /// Those that it lets through, when it restricts anything at all.
    filter: Option<ResourceFilter>,
    /// Every resource of the organization, when it is true. `expectedCount` has to say how many these are.
    all: Option<bool>,
    /// How many resources it has to be; with another number nothing is done.
    expected_count: Option<i32>,
}

impl ResourceSelection {
    /// The rows, and how many these are.
    pub async fn rows(
        &self,
        scope: Scope<'_>,
        database: &impl ConnectionTrait,
    ) -> Result<Result<(Select<resource::Entity>, u64), UserError>> {
        let rows = match self.select(scope)? {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        let count = rows.clone().count(database).await.map_err(|error| internal(&error))?;
        Ok(self.check(count).map(|()| (rows, count)))
    }

    fn select(&self, scope: Scope<'_>) -> Result<Result<Select<resource::Entity>, UserError>> {
        let wrong =
            |message: &str| Ok(Err(UserError::new(UserErrorCode::InvalidSelection, "selection", message)));
        match (&self.ids, &self.filter, self.all) {
            (Some(ids), None, None | Some(false)) => {
                if !(1..=MOST_IDS).contains(&ids.len()) {
                    return wrong(&format!("Name at least one resource, and at most {MOST_IDS} at once."));
                }
                let mut ids = Kind::Resource.rows(ids)?;
                ids.sort_unstable();
                ids.dedup();
                Ok(Ok(scope.owned::<resource::Entity>().filter(Column::Id.is_in(ids))))
            }
            (None, Some(filter), None | Some(false)) => {
                if filter.is_empty() {
                    return wrong(
                        "The filter restricts nothing. If every resource is meant, say `all: true`.",
                    );
                }
                filter.apply(scope, scope.owned()).map(Ok)
            }
            (None, None, Some(true)) => ResourceFilter::default().apply(scope, scope.owned()).map(Ok),
            _ => wrong("Give exactly one of `ids`, `filter` and `all: true`."),
        }
    }

    fn check(&self, count: u64) -> Result<(), UserError> {
        let error = |code, message: String| Err(UserError::new(code, "selection", message));
        if let Some(ids) = &self.ids {
            let distinct: std::collections::HashSet<_> = ids.iter().map(|id| id.as_str()).collect();
            if count < distinct.len() as u64 {
                let message = "Not all of these resources are in your organization.".to_owned();
                return error(UserErrorCode::NotFound, message);
            }
        }
        match self.expected_count {
            Some(expected) if u64::try_from(expected).ok() != Some(count) => {
                let message = format!(
                    "{expected} resources were expected, and it is {count}. Look at them, and say the number that is \
                     right."
                );
                return error(UserErrorCode::SelectionChanged, message);
            }
            None if self.all == Some(true) => {
                let message =
                    format!("These are {count} resources. Confirm it with `expectedCount: {count}`.");
                return error(UserErrorCode::ConfirmationNeeded, message);
            }
            _ => {}
        }
        if count == 0 {
            return error(UserErrorCode::InvalidSelection, "No resource is selected.".to_owned());
        }
        if count > MOST {
            let message =
                format!("These are {count} resources, and at most {MOST} go into one change set. Part them.");
            return error(UserErrorCode::InvalidSelection, message);
        }
        Ok(())
    }
}
