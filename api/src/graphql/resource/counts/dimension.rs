//! By what resources are counted.

use entity::resource::{self, Column};
use entity::tags::{name_term, value_term};
use sea_orm::sea_query::{BinOper, Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{ColumnTrait, DbBackend, QueryFilter, QuerySelect, QueryTrait, Select};

use crate::graphql::resource::each;
use crate::graphql::resource::tag_filter::has_term;
use crate::graphql::text::folded;

/// The filtered resources, where their tags are counted.
const FOUND: &str = "found";

/// By what resources are counted. They always are by subscription too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// By nothing else.
    Subscription,
    /// By type.
    Type,
    /// By location; those without one are not counted.
    Location,
    /// By the name of the resource group, in lower case.
    ResourceGroup,
    /// By the names of their tags, as they are written.
    Spelling,
    /// By the value of their tag of this name.
    TagValue(String),
    /// By which of the tags of these names they have: a `1` or a `0` for each.
    Having(Vec<String>),
    /// By which of the tags of these names they have, a line break, and the name of the resource group in lower
    /// case.
    HavingInGroup(Vec<String>),
}

impl Dimension {
    /// Counts the resources of `list`: rows of a subscription, a value, and a number.
    pub(super) fn statement(&self, backend: DbBackend, list: Select<resource::Entity>) -> SelectStatement {
        match self {
            Self::Subscription => plain(list, Expr::cust("''")),
            Self::Type => plain(list, Expr::col(Column::ResourceType.as_column_ref())),
            Self::Location => plain(list, Expr::col(Column::Location.as_column_ref())),
            Self::ResourceGroup => plain(list, folded(backend, Column::ResourceGroup)),
            Self::Spelling => by_spelling(backend, list),
            Self::TagValue(name) => by_value(backend, list, name),
            Self::Having(names) => plain(list, having(backend, names)),
            Self::HavingInGroup(names) => {
                let group = joined(Expr::val("\n"), folded(backend, Column::ResourceGroup));
                plain(list, joined(having(backend, names), group))
            }
        }
    }

    /// What a value stands for.
    pub(super) fn value(&self, value: String) -> String {
        match self {
            // What was found is a term.
            Self::TagValue(name) => value.chars().skip(value_term(name, "").chars().count()).collect(),
            _ => value,
        }
    }
}

fn plain(list: Select<resource::Entity>, value: Expr) -> SelectStatement {
    let counted = list.select_only().column(Column::SubscriptionId).expr(value).expr(Expr::cust("count(*)"));
    let mut statement = counted.into_query();
    statement.add_group_by([Expr::cust("1"), Expr::cust("2")]);
    statement
}

fn by_spelling(backend: DbBackend, list: Select<resource::Entity>) -> SelectStatement {
    let found = list.select_only().columns([Column::SubscriptionId, Column::Tags]).into_query();
    let mut statement = of_each(found, each::key());
    statement.from_function(each::tags(backend, Expr::col((FOUND, Column::Tags))), each::EACH);
    statement
}

fn by_value(backend: DbBackend, list: Select<resource::Entity>, name: &str) -> SelectStatement {
    let list = list.filter(has_term(backend, name_term(name)));
    let found = list.select_only().columns([Column::SubscriptionId, Column::TagTerms]).into_query();
    let beginning = value_term(name, "");
    let length = i32::try_from(beginning.chars().count()).unwrap_or(i32::MAX);
    let start = Func::cust("substr").arg(each::value()).arg(1).arg(length);
    let mut statement = of_each(found, each::value());
    statement
        .from_function(each::terms(backend, Expr::col((FOUND, Column::TagTerms))), each::EACH)
        .and_where(Expr::from(start).eq(beginning));
    statement
}

fn of_each(found: SelectStatement, value: Expr) -> SelectStatement {
    let mut statement = Query::select();
    statement
        .column((FOUND, Column::SubscriptionId))
        .expr(value)
        .expr(Expr::cust("count(*)"))
        .from_subquery(found, FOUND)
        .add_group_by([Expr::cust("1"), Expr::cust("2")]);
    statement
}

fn having(backend: DbBackend, names: &[String]) -> Expr {
    let each = names.iter().map(|name| {
        let has = has_term(backend, name_term(name));
        Expr::case(has, Expr::cust("'1'")).finally(Expr::cust("'0'")).into()
    });
    each.reduce(joined).unwrap_or_else(|| Expr::cust("''"))
}

fn joined(left: Expr, right: Expr) -> Expr {
    left.binary(BinOper::Custom("||"), right)
}
