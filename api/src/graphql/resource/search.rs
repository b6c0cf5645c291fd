//! Search: words that a resource has to have, wherever.

use async_graphql::Result;
use entity::resource::Column;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, DbBackend};

use super::each;
use crate::error::ErrorCode;
use crate::graphql::text::{check, folded, folded_text, within};

/// Words, and characters, that a search has at most: each word is looked for in every tag.
const WORDS: usize = 8;
const LONGEST: usize = 200;

/// Holds of the resources that have every word of `search` in the name, the type, the resource group, or the name
/// or value of a tag, in whichever case.
pub fn condition(backend: DbBackend, search: &str) -> Result<Condition> {
    check("search", search)?;
    let characters = search.chars().count();
    let words: Vec<_> = search.split_whitespace().map(str::to_ascii_lowercase).collect();
    for (what, reached, allowed) in [("characters", characters, LONGEST), ("words", words.len(), WORDS)] {
        if reached > allowed {
            return Err(ErrorCode::BadInput
                .error(format!("search has {reached} {what}; at most {allowed} are allowed.")));
        }
    }
    Ok(words.iter().fold(Condition::all(), |all, word| all.add(has_word(backend, word))))
}

fn has_word(backend: DbBackend, word: &str) -> Condition {
    let columns = [Column::Name, Column::ResourceType, Column::ResourceGroup];
    let any = columns
        .into_iter()
        .fold(Condition::any(), |any, column| any.add(within(backend, folded(backend, column), word)));
    any.add(in_tag(backend, word))
}

fn in_tag(backend: DbBackend, word: &str) -> Condition {
    let tags = Expr::col(Column::Tags.as_column_ref());
    let has = |text: Expr| within(backend, folded_text(backend, text), word);
    let mut found = Query::select();
    found
        .expr(Expr::cust("1"))
        .from_function(each::tags(backend, tags.clone()), each::EACH)
        .and_where(has(each::key()).or(has(each::value())));
    let all = Condition::all();
    // To look at all tags as one text is quick, but finds what parts them too, and not what JSON has to escape.
    let is_plain =
        backend == DbBackend::Postgres && !word.contains(['"', '\\']) && !word.contains(char::is_control);
    let all = if is_plain { all.add(has(tags.cast_as("text"))) } else { all };
    all.add(Expr::exists(found))
}
