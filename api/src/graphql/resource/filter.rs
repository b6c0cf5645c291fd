//! Which resources: everything is bound to the statement, nothing is written into it.

mod bounds;
mod conditions;

use async_graphql::{Enum, ID, InputObject, Result};
use entity::resource::{self, Column};
use sea_orm::{ColumnTrait, QueryFilter, Select};

use super::ResourceScope;
use super::tag_filter::TagFilter;
use crate::error::ErrorCode;
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::Scope;

/// Whether something is still there.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "Presence")]
pub enum Presence {
    /// It is there.
    #[default]
    Present,
    /// It is there no longer: a complete scan, or a full round of a directory, did not see it.
    Deleted,
    /// Either.
    Any,
}

/// Whether a resource has tags at all.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "Tagging")]
pub enum Tagging {
    /// It has at least one.
    Tagged,
    /// It has none.
    Untagged,
}

/// A stretch of time: from its beginning, which belongs to it, to its end, which does not.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "DateTimeRange")]
pub struct DateTimeRange {
    /// Its beginning; it always was by default.
    pub(super) from: Option<DateTime>,
    /// Its end; it goes on by default.
    pub(super) to: Option<DateTime>,
}

/// Which resources. What is given has to hold all at once; of a list, any one, except of `tags` and `and`, where
/// all have to hold. An empty list lets nothing through, except those two. A filter within a filter says nothing of
/// `presence`, which holds for all of it. At most 5 filters within each other, 100 conditions, and 5,000 items of
/// lists, all told.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "ResourceFilter")]
pub struct ResourceFilter {
    /// In one of these subscriptions.
    subscriptions: Option<Vec<ID>>,
    /// In one of these tenants.
    tenants: Option<Vec<ID>>,
    /// Of one of these types, in whichever case: `Microsoft.Compute/virtualMachines`.
    types: Option<Vec<String>>,
    /// In one of these locations, as `westeurope` or as `West Europe`.
    locations: Option<Vec<String>>,
    /// In a resource group of one of these names, in whichever case.
    resource_groups: Option<Vec<String>>,
    /// With this in the name, in whichever case.
    name_contains: Option<String>,
    /// Of whose tags all of this holds.
    tags: Option<Vec<TagFilter>>,
    /// With any tag, or without.
    tagging: Option<Tagging>,
    /// Still there, or deleted. `PRESENT` by default; not in a filter within a filter.
    presence: Option<Presence>,
    /// With one of these ARM ids, in whichever case.
    arm_ids: Option<Vec<String>>,
    /// Of one of these names, in whichever case.
    names: Option<Vec<String>>,
    /// Of one of these kinds, in whichever case.
    kinds: Option<Vec<String>>,
    /// With one of these SKUs, in whichever case.
    skus: Option<Vec<String>>,
    /// Managed by one of these ARM ids, in whichever case.
    managed_by: Option<Vec<String>>,
    /// Created in Azure at this time, where Azure says so.
    azure_created_at: Option<DateTimeRange>,
    /// Last changed in Azure at this time, where Azure says so.
    azure_changed_at: Option<DateTimeRange>,
    /// First seen by a scan at this time.
    first_seen_at: Option<DateTimeRange>,
    /// Last seen to have changed by a scan at this time.
    changed_at: Option<DateTimeRange>,
    /// Of one of these scopes: resources by default; not in a filter within a filter.
    scopes: Option<Vec<ResourceScope>>,
    /// Let through by all of these.
    and: Option<Vec<ResourceFilter>>,
    /// Let through by any of these.
    or: Option<Vec<ResourceFilter>>,
    /// Not let through by this.
    not: Option<Box<ResourceFilter>>,
}

impl ResourceFilter {
    /// What of `list` the filter lets through.
    pub(in crate::graphql) fn apply(
        &self,
        scope: Scope<'_>,
        list: Select<resource::Entity>,
    ) -> Result<Select<resource::Entity>> {
        self.check_bounds()?;
        let list = list.filter(self.condition(scope)?);
        let scopes = match &self.scopes {
            Some(scopes) => scopes.iter().copied().map(Into::into).collect(),
            None => vec![resource::ResourceScope::Resource],
        };
        let list = list.filter(Column::Scope.is_in(scopes));
        Ok(match self.presence.unwrap_or_default() {
            Presence::Present => list.filter(Column::DeletedAt.is_null()),
            Presence::Deleted => list.filter(Column::DeletedAt.is_not_null()),
            Presence::Any => list,
        })
    }

    /// The term of a tag with its value that everything it lets through has, and that is still there.
    pub(super) fn shared_tag(&self) -> Option<String> {
        let tags = self.tags.as_ref().filter(|_| self.presence.unwrap_or_default() == Presence::Present)?;
        tags.iter().find_map(TagFilter::term)
    }

    /// Whether it restricts nothing but, perhaps, to what is still there. What restricts nothing only because of
    /// the resources that there are, or because two conditions make up for each other, is not found out.
    pub(in crate::graphql) fn is_empty(&self) -> bool {
        self.extent() == bounds::Extent::All
    }

    /// The filters directly within this one.
    fn inner(&self) -> impl Iterator<Item = &Self> {
        self.and.iter().flatten().chain(self.or.iter().flatten()).chain(self.not.as_deref())
    }
}

/// What holds for all of a filter is said once, outside.
fn only_outside(field: &str) -> async_graphql::Error {
    ErrorCode::BadInput.error(format!(
        "{field} holds for all of a filter: give it at the top, not inside of and, or or not."
    ))
}
