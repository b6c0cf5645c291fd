//! The query `tagNames`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use entity::resource::Column;
use sea_orm::sea_query::{BinOper, Expr, ExprTrait, Func, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QuerySelect, QueryTrait};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::counts::{Count, Counter, Dimension};
use super::{Asked, ResourceFilter, each};
use crate::graphql::int;
use crate::graphql::pager::{Key, Listing, Paging, Position, cut};
use crate::graphql::scope::{Scope, broken, internal};
use crate::graphql::text::check;
use crate::permission::Permission;

/// The query of this file.
#[derive(Default)]
pub struct TagNames;

#[Object(name = "TagNameQuery")]
impl TagNames {
    /// The names of all tags, each with the ways in which it is written, by name.
    /// Needs the role `VIEWER`, or the scope `inventory:read`.
    #[expect(clippy::too_many_arguments, reason = "a connection's arguments")]
    async fn tag_names(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of the tags of which resources; of all that are not deleted by default.")]
        filter: Option<ResourceFilter>,
        #[graphql(desc = "Only names with this in them, in whichever case.")] search: Option<String>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Listing<TagName>> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let asked = Asked { filter: filter.unwrap_or_default(), search: None };
        let counter = Counter::of(scope, asked.clone())?;
        let mut names = fold(&counter.by(ctx, Dimension::Spelling).await?.ranked);
        if let Some(part) = search {
            check("search", &part)?;
            let part = part.to_lowercase();
            names.retain(|name| name.name.contains(&part));
        }
        let position = |name: &Folded| Position { key: Key::Text(name.name.clone()), id: Uuid::nil() };
        let together = |page: &[Folded]| TagName::together(&asked, page);
        cut(&names, "tag_name", position, together, &Paging { first, after, last, before })
    }
}

/// A name in all the ways in which it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// In lower case.
    pub name: String,
    spellings: Vec<Count>,
}

impl Folded {
    /// How many resources have a tag of this name: none has two.
    pub fn resources(&self) -> i64 {
        self.spellings.iter().map(|spelling| spelling.resources).sum()
    }
}

/// Names that differ in case only are one, in the order of their names.
pub fn fold(spellings: &[Count]) -> Vec<Folded> {
    let mut names = BTreeMap::<String, Vec<Count>>::new();
    for spelling in spellings {
        names.entry(spelling.value.to_lowercase()).or_default().push(spelling.clone());
    }
    names.into_iter().map(|(name, spellings)| Folded { name, spellings }).collect()
}

/// A tag's name.
pub struct TagName {
    name: Folded,
    siblings: Arc<Siblings>,
}

struct Siblings {
    asked: Asked,
    names: Vec<String>,
    /// How many values each of them has. None: it could not be read, which was said once.
    values: OnceCell<Option<HashMap<String, i64>>>,
}

impl TagName {
    fn together(asked: &Asked, page: &[Folded]) -> Vec<Self> {
        let names = page.iter().map(|name| name.name.clone()).collect();
        let siblings = Arc::new(Siblings { asked: asked.clone(), names, values: OnceCell::new() });
        page.iter().map(|name| Self { name: name.clone(), siblings: Arc::clone(&siblings) }).collect()
    }
}

/// A tag's name, in all the ways in which it is written.
#[Object(name = "TagName")]
impl TagName {
    /// The name, in lower case.
    async fn name(&self) -> &str {
        &self.name.name
    }

    /// How many resources have a tag of this name.
    async fn resource_count(&self) -> i32 {
        int(self.name.resources())
    }

    /// The ways in which it is written, the most usual first.
    async fn spellings(&self) -> Vec<Spelling<'_>> {
        let spelling = |count: &'_ Count| int(count.resources);
        self.name
            .spellings
            .iter()
            .map(|count| Spelling { name: &count.value, resource_count: spelling(count) })
            .collect()
    }

    /// How many different values the tags of this name have, in whichever way it is written. Counted from all of them
    /// whenever it is asked for.
    async fn value_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let siblings = &self.siblings;
        let list = siblings.asked.found(scope)?;
        let read = || async {
            let read = values(scope, list, &siblings.names).await;
            read.inspect_err(|error| drop(internal(error))).ok()
        };
        let values = siblings.values.get_or_init(read).await.as_ref().ok_or_else(broken)?;
        Ok(int(values.get(&self.name.name).copied().unwrap_or_default()))
    }
}

/// A way in which a name is written.
#[derive(SimpleObject)]
#[graphql(name = "TagNameSpelling")]
pub struct Spelling<'a> {
    /// The name, as it is written.
    name: &'a str,
    /// How many resources have it written like this.
    resource_count: i32,
}

/// How many values the tags of each of `names` have. A term is a name, or a name, a line break and a value.
async fn values(
    scope: Scope<'_>,
    list: sea_orm::Select<entity::resource::Entity>,
    names: &[String],
) -> Result<HashMap<String, i64>, DbErr> {
    const FOUND: &str = "found";
    let backend = scope.backend();
    let position = if backend == DbBackend::Postgres { "strpos" } else { "instr" };
    let line_break = Func::cust(position).arg(each::value()).arg("\n");
    let length = Expr::from(line_break).binary(BinOper::Sub, Expr::cust("1"));
    let name = Func::cust("substr").arg(each::value()).arg(Expr::cust("1")).arg(length);
    let mut terms = Query::select();
    terms
        .expr_as(name, "name")
        .expr_as(each::value(), "term")
        .distinct()
        .from_subquery(list.select_only().column(Column::TagTerms).into_query(), FOUND)
        .from_function(each::terms(backend, Expr::col((FOUND, Column::TagTerms))), each::EACH)
        .and_where(Expr::from(Func::cust(position).arg(each::value()).arg("\n")).gt(0));
    let mut counted = Query::select();
    counted
        .column("name")
        .expr(Expr::cust("count(*)"))
        .from_subquery(terms, "terms")
        .and_where(Expr::col("name").is_in(names.iter().map(String::as_str)))
        .group_by_col("name");
    let rows = scope.database().query_all(&counted).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_only_are_one() {
        let count = |value: &str, resources| Count { value: value.to_owned(), resources };
        let folded =
            fold(&[count("env", 5), count("CostCenter", 3), count("ENV", 2), count("costcenter", 1)]);
        let told: Vec<_> =
            folded.iter().map(|name| (name.name.as_str(), name.resources(), name.spellings.len())).collect();
        assert_eq!(told, [("costcenter", 4, 2), ("env", 7, 2)]);
        assert_eq!(folded[1].spellings, [count("env", 5), count("ENV", 2)]);
    }
}
