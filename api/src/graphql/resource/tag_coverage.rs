//! The query `tagCoverage`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use uuid::Uuid;

use super::counts::{Count, Counter, Dimension};
use super::tag_filter::check_name;
use super::{Asked, ResourceFilter};
use crate::error::ErrorCode;
use crate::graphql::batch::Batch;
use crate::graphql::int;
use crate::graphql::pager::{Key, Listing, Paging, Position, cut};
use crate::graphql::scope::Scope;
use crate::graphql::subscription::AzureSubscription;
use crate::permission::Permission;

/// Names that are looked for at once.
const NAMES: usize = 20;

/// Of what the tags are covered.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "TagCoverageGrouping")]
pub enum Grouping {
    /// Of each subscription.
    #[default]
    Subscription,
    /// Of each resource group.
    ResourceGroup,
}

/// The query of this file.
#[derive(Default)]
pub struct TagCoverages;

#[Object(name = "TagCoverageQuery")]
impl TagCoverages {
    /// How many resources have the tags that they should have. Resources of types that cannot be tagged count too.
    /// Needs the role `VIEWER`, or the scope `inventory:read`.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn tag_coverage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which resources; of all that are not deleted by default.")] filter: Option<
            ResourceFilter,
        >,
        #[graphql(desc = "The tags' names, in whichever case: 1 to 20.")] names: Vec<String>,
    ) -> Result<TagCoverage> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let asked = Asked { filter: filter.unwrap_or_default(), search: None };
        let counter = Counter::of(scope, asked)?;
        if !(1..=NAMES).contains(&names.len()) {
            return Err(ErrorCode::BadInput
                .error(format!("names has {} items; give 1 to {NAMES} of them.", names.len())));
        }
        names.iter().try_for_each(|name| check_name(name))?;
        let folded = names.iter().map(|name| name.to_lowercase()).collect();
        Ok(TagCoverage { counter, names: Arc::new(names), folded })
    }
}

/// How many resources have the tags that they should have.
pub struct TagCoverage {
    counter: Counter,
    /// As they were given.
    names: Arc<Vec<String>>,
    folded: Vec<String>,
}

/// How many resources have the tags that they should have: all together, and by where they are.
#[Object(name = "TagCoverage")]
impl TagCoverage {
    /// All together.
    async fn total(&self, ctx: &Context<'_>) -> Result<Coverage> {
        let counted = self.counter.by(ctx, Dimension::Having(self.folded.clone())).await?;
        let mut tally = Tally::default();
        counted.ranked.iter().for_each(|count| tally.add(&count.value, count.resources));
        Ok(tally.coverage(&self.names))
    }

    /// By where they are, in the order of the resource groups' names.
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "By subscription or by resource group.", default)] by: Grouping,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<TagCoverageGroup>> {
        let dimension = match by {
            Grouping::Subscription => Dimension::Having(self.folded.clone()),
            Grouping::ResourceGroup => Dimension::HavingInGroup(self.folded.clone()),
        };
        let counted = self.counter.by(ctx, dimension).await?;
        let mut tallies = BTreeMap::<(String, Uuid), Tally>::new();
        for (subscription_id, part) in &counted.parts {
            for Count { value, resources } in part.iter() {
                let (having, group) = value.split_once('\n').unwrap_or((value, ""));
                tallies.entry((group.to_owned(), *subscription_id)).or_default().add(having, *resources);
            }
        }
        let tallies: Vec<_> = tallies.into_iter().collect();
        let position = |((group, id), _): &Tallied| Position { key: Key::Text(group.clone()), id: *id };
        let together = |page: &[Tallied]| TagCoverageGroup::together(&self.names, page);
        cut(&tallies, "tag_coverage", position, together, &Paging { first, after, last, before })
    }
}

type Tallied = ((String, Uuid), Tally);

/// Resources, by which of the tags they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    resources: i64,
    with_all: i64,
    with_none: i64,
    with: Vec<i64>,
}

impl Tally {
    /// Adds resources that have the tags of which `having` has a `1`.
    fn add(&mut self, having: &str, resources: i64) {
        self.with.resize(having.len(), 0);
        self.resources += resources;
        self.with_all += if having.contains('0') { 0 } else { resources };
        self.with_none += if having.contains('1') { 0 } else { resources };
        for (with, has) in self.with.iter_mut().zip(having.chars()) {
            *with += if has == '1' { resources } else { 0 };
        }
    }

    fn coverage(&self, names: &[String]) -> Coverage {
        let with = self.with.iter().copied().chain(std::iter::repeat(0));
        let tag = |(name, with): (&String, i64)| TagCovered { name: name.clone(), resource_count: int(with) };
        Coverage {
            resource_count: int(self.resources),
            with_all: int(self.with_all),
            with_none: int(self.with_none),
            tags: names.iter().zip(with).map(tag).collect(),
        }
    }
}

/// How many of some resources have the tags.
#[derive(SimpleObject)]
#[graphql(name = "TagCoverageCounts")]
pub struct Coverage {
    /// How many resources they are.
    resource_count: i32,
    /// How many of them have all of the tags.
    with_all: i32,
    /// How many of them have none of the tags; they may have others.
    with_none: i32,
    /// How many of them have each tag, in the order in which the names were given.
    tags: Vec<TagCovered>,
}

/// How many of some resources have a tag.
#[derive(SimpleObject)]
#[graphql(name = "TagCovered")]
pub struct TagCovered {
    /// The tag's name, as it was given.
    name: String,
    /// How many of them have it.
    resource_count: i32,
}

/// The resources of one subscription, or of one resource group.
pub struct TagCoverageGroup {
    subscription_id: Uuid,
    group: String,
    tally: Tally,
    names: Arc<Vec<String>>,
    subscriptions: Arc<Batch<AzureSubscription>>,
}

impl TagCoverageGroup {
    fn together(names: &Arc<Vec<String>>, page: &[Tallied]) -> Vec<Self> {
        let subscriptions = Arc::new(Batch::of(page.iter().map(|((_, id), _)| *id)));
        let group = |((group, id), tally): &Tallied| Self {
            subscription_id: *id,
            group: group.clone(),
            tally: tally.clone(),
            names: Arc::clone(names),
            subscriptions: Arc::clone(&subscriptions),
        };
        page.iter().map(group).collect()
    }
}

/// The resources of one subscription, or of one resource group, and how many of them have the tags.
#[Object(name = "TagCoverageGroup")]
impl TagCoverageGroup {
    /// The subscription.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<&AzureSubscription> {
        self.subscriptions.one(Scope::of(ctx, Permission::ReadInventory)?, self.subscription_id).await
    }

    /// The name of the resource group, in lower case; null where it is all of the subscription.
    async fn resource_group(&self) -> Option<&str> {
        Some(self.group.as_str()).filter(|group| !group.is_empty())
    }

    /// How many of them have the tags.
    async fn coverage(&self) -> Coverage {
        self.tally.coverage(&self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_told_apart_by_which_of_the_tags_they_have() {
        let mut tally = Tally::default();
        for (having, resources) in [("11", 1), ("10", 20), ("00", 300)] {
            tally.add(having, resources);
        }
        assert_eq!(tally, Tally { resources: 321, with_all: 1, with_none: 300, with: vec![21, 1] });
    }
}
