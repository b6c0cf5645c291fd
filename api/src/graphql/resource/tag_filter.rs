//! Which resources have, or lack, a tag: answered from the terms of their tags.

use async_graphql::{Enum, InputObject, Result};
use entity::resource::Column;
use entity::tags::{name_term, value_term};
use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, DbBackend};

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
}

/// What has to hold of one tag.
#[derive(InputObject, Clone, Debug)]
#[graphql(name = "TagFilter")]
pub struct TagFilter {
    /// The tag's name, in whichever case.
    pub name: String,
    /// The tag's value, in its case: with `EQUALS` and `NOT_EQUALS`, and not otherwise.
    pub value: Option<String>,
    /// What has to hold.
    #[graphql(name = "match", default)]
    pub matches: TagMatch,
}

/// The terms that a resource has to have, and those that it may not have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Terms {
    all: Vec<String>,
    none: Vec<String>,
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
                (TagMatch::Equals | TagMatch::NotEquals, None) => {
                    return Err(ErrorCode::BadInput
                        .error("EQUALS and NOT_EQUALS compare a tag's value: give one, or ask for PRESENT or ABSENT."));
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
            }
        }
        Ok(terms)
    }
}

/// A line break parts name and value in a term: a name with one would find another name's value.
fn check_name(name: &str) -> Result<()> {
    text::check("A tag's name", name)?;
    if name.contains('\n') {
        return Err(ErrorCode::BadInput.error("A tag's name has a line break in it; Azure allows none."));
    }
    Ok(())
}

/// Holds of the resources of which all of `filters` hold.
pub fn condition(backend: DbBackend, filters: &[TagFilter]) -> Result<Condition> {
    let terms = Terms::of(filters)?;
    let mut condition = Condition::all();
    if backend == DbBackend::Postgres {
        // One probe of the index for all that has to be there.
        if !terms.all.is_empty() {
            condition = condition.add(has_all(terms.all));
        }
        return Ok(terms.none.into_iter().fold(condition, |all, term| all.add(has_all(vec![term]).not())));
    }
    let condition = terms.all.into_iter().fold(condition, |all, term| all.add(has(term)));
    Ok(terms.none.into_iter().fold(condition, |all, term| all.add(has(term).not())))
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
        assert_eq!(terms, Terms { all: vec!["env".to_owned()], none: vec!["env\nProd".to_owned()] });
    }

    #[test]
    fn a_value_is_given_where_values_are_compared_and_only_there() {
        for (matches, value) in [
            (TagMatch::Equals, None),
            (TagMatch::NotEquals, None),
            (TagMatch::Present, Some("Prod")),
            (TagMatch::Absent, Some("Prod")),
        ] {
            assert!(Terms::of(&[filter(matches, value)]).is_err(), "{matches:?} {value:?}");
        }
    }
}
