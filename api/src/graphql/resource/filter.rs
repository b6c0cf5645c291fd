//! Which resources: everything is bound to the statement, nothing is written into it.

use async_graphql::{Enum, ID, InputObject, Result};
use entity::resource::{self, Column};
use entity::subscription;
use entity::tags::Tags;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::tag_filter::{self, TagFilter};
use crate::graphql::ids::Kind;
use crate::graphql::pager::check_length;
use crate::graphql::scope::Scope;
use crate::graphql::text::{contains, folded, folded_list};

/// Whether a resource is still there.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "Presence")]
pub enum Presence {
    /// It is there.
    #[default]
    Present,
    /// A complete scan no longer saw it.
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

/// Which resources. What is given has to hold all at once; of a list, any one, except of `tags`, where
/// all have
/// to hold. An empty list lets nothing through, except that of `tags`.
#[derive(InputObject, Default)]
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
    /// Still there, or deleted.
    #[graphql(default)]
    presence: Presence,
}

impl ResourceFilter {
    /// What of `list` the filter lets through.
    pub(super) fn apply(
        &self,
        scope: Scope<'_>,
        list: Select<resource::Entity>,
    ) -> Result<Select<resource::Entity>> {
        let list = self.filter_place(scope, list)?;
        let list = self.filter_nature(scope, list)?;
        self.filter_tags(scope, list)
    }

    fn filter_place(
        &self,
        scope: Scope<'_>,
        mut list: Select<resource::Entity>,
    ) -> Result<Select<resource::Entity>> {
        if let Some(subscriptions) = &self.subscriptions {
            check_length("subscriptions", subscriptions)?;
            list = list.filter(Column::SubscriptionId.is_in(Kind::Subscription.rows(subscriptions)?));
        }
        if let Some(tenants) = &self.tenants {
            check_length("tenants", tenants)?;
            let of_tenants = scope
                .owned::<subscription::Entity>()
                .filter(subscription::Column::TenantId.is_in(Kind::Tenant.rows(tenants)?))
                .select_only()
                .column(subscription::Column::Id);
            list = list.filter(Column::SubscriptionId.in_subquery(of_tenants.into_query()));
        }
        if let Some(locations) = &self.locations {
            let mut locations = folded_list("locations", locations)?;
            for location in &mut locations {
                location.retain(|character| character != ' ');
            }
            list = list.filter(Column::Location.is_in(locations));
        }
        if let Some(groups) = &self.resource_groups {
            let groups = folded_list("resourceGroups", groups)?;
            let group = folded(scope.backend(), Column::ResourceGroup);
            list = list.filter(sea_orm::sea_query::ExprTrait::is_in(group, groups));
        }
        Ok(list)
    }

    fn filter_nature(
        &self,
        scope: Scope<'_>,
        mut list: Select<resource::Entity>,
    ) -> Result<Select<resource::Entity>> {
        if let Some(types) = &self.types {
            list = list.filter(Column::ResourceType.is_in(folded_list("types", types)?));
        }
        if let Some(part) = &self.name_contains {
            list = list.filter(contains(scope.backend(), Column::Name, "nameContains", part)?);
        }
        Ok(match self.presence {
            Presence::Present => list.filter(Column::DeletedAt.is_null()),
            Presence::Deleted => list.filter(Column::DeletedAt.is_not_null()),
            Presence::Any => list,
        })
    }

    fn filter_tags(
        &self,
        scope: Scope<'_>,
        mut list: Select<resource::Entity>,
    ) -> Result<Select<resource::Entity>> {
        if let Some(tags) = &self.tags {
            check_length("tags", tags)?;
            list = list.filter(tag_filter::condition(scope.backend(), tags)?);
        }
        Ok(match self.tagging {
            Some(Tagging::Tagged) => list.filter(Column::Tags.ne(Tags::default())),
            Some(Tagging::Untagged) => list.filter(Column::Tags.eq(Tags::default())),
            None => list,
        })
    }
}
