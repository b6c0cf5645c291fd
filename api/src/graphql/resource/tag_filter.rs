//! Which resources have, or lack, a tag: answered from the terms of their tags.

use async_graphql::{Enum, InputObject, Result};
use entity::resource::Column;
use entity::tags::{name_term, value_term};
use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, Condition, DbBackend};

use super::each;
use crate::error::ErrorCode;
use crate::graphql::text;

/// What has to hold of a tag.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(name = "TagMatch")]
pub enum TagMatch {
    /// There is a tag of this name with this value.
    #[default]
    Equals,
    /// There is a tag of this name, with another value.
    NotEquals,
    /// There is a tag of this name.
    Present,
    /// There is no tag of this name.
    Absent,
    /// There is a tag of this name whose value begins with this, in its case.
    StartsWith,
    /// There is a tag of this name with this in the value, in its case.
    Contains,
}

/// What has to hold of one tag.
#[derive(InputObject, Clone, Debug)]
#[graphql(name = "TagFilter")]
pub struct TagFilter {
    /// The tag's name, in whichever case.
    pub name: String,
    /// The tag's value, or what is looked for in it, in its case: not with `PRESENT` and `ABSENT`.
    pub value: Option<String>,
    /// What has to hold.
    #[graphql(name = "match", default)]
    pub matches: TagMatch,
}

impl TagFilter {
    /// The term of the tag with its value, if nothing else will do.
    pub(super) fn term(&self) -> Option<String> {
        let value = self.value.as_ref().filter(|_| self.matches == TagMatch::Equals)?;
        Some(value_term(&self.name, value))
    }
}

/// The terms that a resource has to have, and those that it may not have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Terms {
    all: Vec<String>,
    none: Vec<String>,
    parts: Vec<Part>,
}

/// What one of the terms has to begin with, and to have after that.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    beginning: String,
    then: Option<String>,
}

impl Terms {
    fn of(filters: &[TagFilter]) -> Result<Self> {
        let mut terms = Self::default();
        for filter in filters {
            check_name(&filter.name)?;
            let name = name_term(&filter.name);
            match (filter.matches, filter.value.as_deref()) {
                (TagMatch::Present, None) => terms.all.push(name),
                (TagMatch::Absent, None) => terms.none.push(name),
                (TagMatch::Present | TagMatch::Absent, Some(_)) => {
                    return Err(ErrorCode::BadInput.error(
                        "A tag that is PRESENT or ABSENT is so whatever its value: leave the value out.",
                    ));
                }
                (_, None) => {
                    return Err(ErrorCode::BadInput
                        .error("This compares a tag's value: give one, or ask for PRESENT or ABSENT."));
                }
                (TagMatch::Equals, Some(value)) => {
                    text::check("A tag's value", value)?;
                    terms.all.push(value_term(&filter.name, value));
                }
                (TagMatch::NotEquals, Some(value)) => {
                    text::check("A tag's value", value)?;
                    terms.all.push(name);
                    terms.none.push(value_term(&filter.name, value));
                }
                (TagMatch::StartsWith, Some(value)) => {
                    text::check("A tag's value", value)?;
                    terms.all.push(name);
                    terms.parts.push(Part { beginning: value_term(&filter.name, value), then: None });
                }
                (TagMatch::Contains, Some(value)) => {
                    text::check("A tag's value", value)?;
                    terms.all.push(name);
                    let then = Some(value.to_owned());
                    terms.parts.push(Part { beginning: value_term(&filter.name, ""), then });
                }
            }
        }
        Ok(terms)
    }
}

impl Part {
    /// The index finds the name alone; of what it finds, the terms are looked through.
    fn condition(self, backend: DbBackend) -> Expr {
        let length = i32::try_from(self.beginning.chars().count()).unwrap_or(i32::MAX);
        let start = Func::cust("substr").arg(each::value()).arg(1).arg(length);
        let terms = Expr::col(Column::TagTerms.as_column_ref());
        let mut found = Query::select();
        found
            .expr(Expr::cust("1"))
            .from_function(each::terms(backend, terms), each::EACH)
            .and_where(Expr::from(start).eq(self.beginning));
        if let Some(then) = &self.then {
            let rest = Func::cust("substr").arg(each::value()).arg(length.saturating_add(1));
            found.and_where(text::within(backend, rest.into(), then));
        }
        Expr::exists(found)
    }
}

/// A line break parts name and value in a term: a name with one would find another name's value.
pub fn check_name(name: &str) -> Result<()> {
    text::check("A tag's name", name)?;
    if name.contains('\n') {
        return Err(ErrorCode::BadInput.error("A tag's name has a line break in it; Azure allows none."));
    }
    Ok(())
}

/// Holds of the resources of which all of `filters` hold.
pub fn condition(backend: DbBackend, filters: &[TagFilter]) -> Result<Condition> {
    let mut terms = Terms::of(filters)?;
    let parts = std::mem::take(&mut terms.parts);
    let parts = parts.into_iter().fold(Condition::all(), |all, part| all.add(part.condition(backend)));
    Ok(whole_terms(backend, terms).add(parts))
}

/// Holds of the resource that has the term.
pub fn has_term(backend: DbBackend, term: String) -> Expr {
    if backend == DbBackend::Postgres { has_all(vec![term]) } else { has(term) }
}

fn whole_terms(backend: DbBackend, terms: Terms) -> Condition {
    let mut condition = Condition::all();
    if backend == DbBackend::Postgres {
        // One probe of the index for all that has to be there.
        if !terms.all.is_empty() {
            condition = condition.add(has_all(terms.all));
        }
        return terms.none.into_iter().fold(condition, |all, term| all.add(has_all(vec![term]).not()));
    }
    let condition = terms.all.into_iter().fold(condition, |all, term| all.add(has(term)));
    terms.none.into_iter().fold(condition, |all, term| all.add(has(term).not()))
}

fn has_all(terms: Vec<String>) -> Expr {
    Expr::col(Column::TagTerms.as_column_ref()).contains(Expr::val(serde_json::Value::from(terms)))
}

/// SQLite has no index over the terms; it looks through those of the rows that are left.
fn has(term: String) -> Expr {
    let terms = Expr::col(Column::TagTerms.as_column_ref());
    Expr::cust_with_exprs("exists (select 1 from json_each(?) where value = ?)", [terms, Expr::val(term)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(matches: TagMatch, value: Option<&str>) -> TagFilter {
        TagFilter { name: "Env".to_owned(), value: value.map(str::to_owned), matches }
    }

    #[test]
    fn another_value_is_a_tag_that_is_there_without_this_value() {
        let terms = Terms::of(&[filter(TagMatch::NotEquals, Some("Prod"))]).unwrap();
        assert_eq!(
            terms,
            Terms { all: vec!["env".to_owned()], none: vec!["env\nProd".to_owned()], parts: Vec::new() }
        );
    }

    #[test]
    fn a_value_is_given_where_values_are_compared_and_only_there() {
        for (matches, value) in [
            (TagMatch::Equals, None),
            (TagMatch::NotEquals, None),
            (TagMatch::StartsWith, None),
            (TagMatch::Contains, None),
            (TagMatch::Present, Some("Prod")),
            (TagMatch::Absent, Some("Prod")),
        ] {
            assert!(Terms::of(&[filter(matches, value)]).is_err(), "{matches:?} {value:?}");
        }
    }
}
