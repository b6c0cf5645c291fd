//! What a filter asks of a resource, in SQL. Each condition is true or false and never null, so that its
//! opposite is neither.

use async_graphql::{Error, Result};
use entity::audit_event::Period;
use entity::resource::Column;
use entity::subscription;
use entity::tags::Tags;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QuerySelect, QueryTrait};

use super::{DateTimeRange, ResourceFilter, Tagging};
use crate::error::ErrorCode;
use crate::graphql::ids::Kind;
use crate::graphql::pager::check_length;
use crate::graphql::resource::tag_filter;
use crate::graphql::scope::Scope;
use crate::graphql::text::{contains, folded, folded_list};

impl ResourceFilter {
    /// Holds of what the filter lets through, present or not.
    pub(super) fn condition(&self, scope: Scope<'_>) -> Result<Condition> {
        let mut all = Condition::all()
            .add(self.place(scope)?)
            .add(self.identity(scope)?)
            .add(self.nature(scope)?)
            .add(self.time()?)
            .add(self.tagged(scope)?);
        for filter in self.and.iter().flatten() {
            all = all.add(filter.condition(scope)?);
        }
        if let Some(filters) = &self.or {
            let mut any = Condition::any();
            for filter in filters {
                any = any.add(filter.condition(scope)?);
            }
            all = all.add(any);
        }
        if let Some(filter) = &self.not {
            all = all.add(filter.condition(scope)?.not());
        }
        Ok(all)
    }

    fn place(&self, scope: Scope<'_>) -> Result<Condition> {
        let mut all = Condition::all();
        if let Some(subscriptions) = &self.subscriptions {
            check_length("subscriptions", subscriptions)?;
            all = all.add(Column::SubscriptionId.is_in(Kind::Subscription.rows(subscriptions)?));
        }
        if let Some(tenants) = &self.tenants {
            check_length("tenants", tenants)?;
            let of_tenants = scope
                .owned::<subscription::Entity>()
                .filter(subscription::Column::TenantId.is_in(Kind::Tenant.rows(tenants)?))
                .select_only()
                .column(subscription::Column::Id);
            all = all.add(Column::SubscriptionId.in_subquery(of_tenants.into_query()));
        }
        if let Some(locations) = &self.locations {
            let mut locations = folded_list("locations", locations)?;
            for location in &mut locations {
                location.retain(|character| character != ' ');
            }
            all = all.add(Column::Location.is_not_null()).add(Column::Location.is_in(locations));
        }
        if let Some(groups) = &self.resource_groups {
            all = all.add(one_of(scope, Column::ResourceGroup, "resourceGroups", groups)?);
        }
        Ok(all)
    }

    fn identity(&self, scope: Scope<'_>) -> Result<Condition> {
        let mut all = Condition::all();
        if let Some(names) = &self.names {
            all = all.add(one_of(scope, Column::Name, "names", names)?);
        }
        if let Some(part) = &self.name_contains {
            all = all.add(contains(scope.backend(), Column::Name, "nameContains", part)?);
        }
        if let Some(arm_ids) = &self.arm_ids {
            all = all.add(one_of(scope, Column::ArmId, "armIds", arm_ids)?);
        }
        Ok(all)
    }

    fn nature(&self, scope: Scope<'_>) -> Result<Condition> {
        let mut all = Condition::all();
        if let Some(types) = &self.types {
            all = all.add(Column::ResourceType.is_in(folded_list("types", types)?));
        }
        for (column, argument, texts) in [
            (Column::Kind, "kinds", &self.kinds),
            (Column::Sku, "skus", &self.skus),
            (Column::ManagedBy, "managedBy", &self.managed_by),
        ] {
            if let Some(texts) = texts {
                all = all.add(column.is_not_null()).add(one_of(scope, column, argument, texts)?);
            }
        }
        Ok(all)
    }

    fn time(&self) -> Result<Condition> {
        let mut all = Condition::all();
        for (column, argument, range) in [
            (Column::AzureCreatedAt, "azureCreatedAt", &self.azure_created_at),
            (Column::AzureChangedAt, "azureChangedAt", &self.azure_changed_at),
            (Column::FirstSeenAt, "firstSeenAt", &self.first_seen_at),
            (Column::ChangedAt, "changedAt", &self.changed_at),
        ] {
            if let Some(range) = range {
                all = all.add(column.is_not_null()).add(range.condition(argument, column)?);
            }
        }
        Ok(all)
    }

    fn tagged(&self, scope: Scope<'_>) -> Result<Condition> {
        let mut all = Condition::all();
        if let Some(tags) = &self.tags {
            check_length("tags", tags)?;
            all = all.add(tag_filter::condition(scope.backend(), tags)?);
        }
        Ok(match self.tagging {
            Some(Tagging::Tagged) => all.add(Column::Tags.ne(Tags::default())),
            Some(Tagging::Untagged) => all.add(Column::Tags.eq(Tags::default())),
            None => all,
        })
    }
}

impl DateTimeRange {
    fn condition(&self, argument: &str, column: Column) -> Result<Condition> {
        let period = Period { from: self.from.map(Into::into), to: self.to.map(Into::into) };
        if !period.is_sound() {
            return Err(out_of_time(argument));
        }
        let from = period.from.map(|from| column.gte(from));
        let to = period.to.map(|to| column.lt(to));
        Ok(from.into_iter().chain(to).fold(Condition::all(), Condition::add))
    }
}

fn out_of_time(argument: &str) -> Error {
    ErrorCode::BadInput.error(format!("{argument} has to lie in the years 1970 to 9999."))
}

fn one_of(scope: Scope<'_>, column: Column, argument: &str, texts: &[String]) -> Result<Expr> {
    let texts = folded_list(argument, texts)?;
    Ok(folded(scope.backend(), column).is_in(texts))
}
