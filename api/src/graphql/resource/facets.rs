//! The query `resourceFacets`.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use uuid::Uuid;

use super::counts::{Count, Counter, Dimension};
use super::tag_filter::check_name;
use super::tag_names::fold;
use super::{Asked, ResourceFilter};
use crate::graphql::batch::Batch;
use crate::graphql::int;
use crate::graphql::pager::size_or_default;
use crate::graphql::scope::Scope;
use crate::graphql::subscription::AzureSubscription;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct Facets;

#[Object(name = "ResourceFacetsQuery")]
impl Facets {
    /// What can be chosen to narrow a list of resources down, and how many of them each choice leaves. Counted when it
    /// is asked for, exactly, and only again once the inventory has changed.
    /// Needs the role `VIEWER`, or the scope `inventory:read`.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn resource_facets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which resources; of all that are not deleted by default.")] filter: Option<
            ResourceFilter,
        >,
        #[graphql(desc = "Words that they have to have: see `resources`.")] search: Option<String>,
    ) -> Result<ResourceFacets> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let asked = Asked { filter: filter.unwrap_or_default(), search };
        Ok(ResourceFacets { counter: Counter::of(scope, asked)? })
    }
}

/// Facets of the resources that are asked for.
pub struct ResourceFacets {
    counter: Counter,
}

impl ResourceFacets {
    async fn facet(&self, ctx: &Context<'_>, dimension: Dimension, first: Option<i32>) -> Result<Facet> {
        let first = size_or_default(first)?;
        Ok(Facet::of(&self.counter.by(ctx, dimension).await?.ranked, first))
    }
}

/// What can be chosen to narrow a list of resources down. Of each facet the largest buckets come first.
#[Object(name = "ResourceFacets")]
impl ResourceFacets {
    /// How many resources there are, all together.
    async fn resource_count(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(int(self.counter.by(ctx, Dimension::Subscription).await?.sum()))
    }

    /// By type, in lower case.
    async fn types(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many buckets: at most 500; 50 by default.")] first: Option<i32>,
    ) -> Result<Facet> {
        self.facet(ctx, Dimension::Type, first).await
    }

    /// By location. What has none is in no bucket.
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many buckets: at most 500; 50 by default.")] first: Option<i32>,
    ) -> Result<Facet> {
        self.facet(ctx, Dimension::Location, first).await
    }

    /// By the name of the resource group, in lower case; groups of one name in several subscriptions are one
    /// bucket, as they are to a filter.
    async fn resource_groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many buckets: at most 500; 50 by default.")] first: Option<i32>,
    ) -> Result<Facet> {
        self.facet(ctx, Dimension::ResourceGroup, first).await
    }

    /// By the names of their tags, in lower case. A resource is in as many buckets as it has tags.
    async fn tag_names(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many buckets: at most 500; 50 by default.")] first: Option<i32>,
    ) -> Result<Facet> {
        let first = size_or_default(first)?;
        let mut names: Vec<_> = fold(&self.counter.by(ctx, Dimension::Spelling).await?.ranked)
            .into_iter()
            .map(|name| Count { resources: name.resources(), value: name.name })
            .collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.resources));
        Ok(Facet::of(&names, first))
    }

    /// By the value of the tag of one name. What lacks the tag is in no bucket.
    async fn tag_values(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tag's name, in whichever case.")] name: String,
        #[graphql(desc = "How many buckets: at most 500; 50 by default.")] first: Option<i32>,
    ) -> Result<Facet> {
        check_name(&name)?;
        self.facet(ctx, Dimension::TagValue(name.to_lowercase()), first).await
    }

    /// By subscription.
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many buckets: at most 500; 50 by default.")] first: Option<i32>,
    ) -> Result<SubscriptionFacet> {
        let first = size_or_default(first)?;
        let counted = self.counter.by(ctx, Dimension::Subscription).await?;
        let sum = |part: &[Count]| part.iter().map(|count| count.resources).sum::<i64>();
        let mut counts: Vec<(Uuid, i64)> = counted.parts.iter().map(|(id, part)| (*id, sum(part))).collect();
        counts.sort_unstable_by_key(|(id, resources)| (std::cmp::Reverse(*resources), *id));
        let subscriptions = Arc::new(Batch::of(counts.iter().take(first).map(|(id, _)| *id)));
        let buckets = counts.iter().take(first).map(|(id, resources)| SubscriptionBucket {
            id: *id,
            resources: *resources,
            subscriptions: Arc::clone(&subscriptions),
        });
        Ok(SubscriptionFacet {
            bucket_count: count_of(counts.len()),
            resources_in_rest: int(counts.iter().skip(first).map(|(_, resources)| resources).sum()),
            buckets: buckets.collect(),
        })
    }
}

/// Resources by something that they have in common.
#[derive(SimpleObject)]
#[graphql(name = "Facet")]
pub struct Facet {
    /// The largest of them.
    buckets: Vec<FacetBucket>,
    /// How many buckets there are, all told.
    bucket_count: i32,
    /// How many resources the buckets have that are not shown, all together.
    resources_in_rest: i32,
}

/// Resources that have something in common.
#[derive(SimpleObject)]
#[graphql(name = "FacetBucket")]
pub struct FacetBucket {
    /// What they have in common.
    value: String,
    /// How many they are.
    resource_count: i32,
}

/// Resources by subscription.
#[derive(SimpleObject)]
#[graphql(name = "SubscriptionFacet")]
pub struct SubscriptionFacet {
    /// The largest of them.
    buckets: Vec<SubscriptionBucket>,
    /// How many buckets there are, all told.
    bucket_count: i32,
    /// How many resources the buckets have that are not shown, all together.
    resources_in_rest: i32,
}

/// Resources of one subscription.
pub struct SubscriptionBucket {
    id: Uuid,
    resources: i64,
    subscriptions: Arc<Batch<AzureSubscription>>,
}

/// Resources of one subscription.
#[Object(name = "SubscriptionBucket")]
impl SubscriptionBucket {
    /// The subscription.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<&AzureSubscription> {
        self.subscriptions.one(Scope::of(ctx, Permission::ReadInventory)?, self.id).await
    }

    /// How many they are.
    async fn resource_count(&self) -> i32 {
        int(self.resources)
    }
}

impl Facet {
    fn of(ranked: &[Count], first: usize) -> Self {
        let bucket =
            |count: &Count| FacetBucket { value: count.value.clone(), resource_count: int(count.resources) };
        Self {
            buckets: ranked.iter().take(first).map(bucket).collect(),
            bucket_count: count_of(ranked.len()),
            resources_in_rest: int(ranked.iter().skip(first).map(|count| count.resources).sum()),
        }
    }
}

fn count_of(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
