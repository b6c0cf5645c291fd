//! Words that a user or a group has to have in its names.

use async_graphql::Result;
use sea_orm::sea_query::Expr;
use sea_orm::{Condition, DbBackend};

use crate::error::ErrorCode;
use crate::graphql::text::{check, within};

/// Words, and characters, that a search has at most.
const WORDS: usize = 8;
const LONGEST: usize = 200;

/// Holds of the rows that have every word of `search` in one of `texts`, which are in lower case.
pub fn condition(backend: DbBackend, search: &str, texts: &[Expr]) -> Result<Condition> {
    check("search", search)?;
    let words: Vec<_> = search.split_whitespace().collect();
    for (what, reached, allowed) in
        [("characters", search.chars().count(), LONGEST), ("words", words.len(), WORDS)]
    {
        if reached > allowed {
            return Err(ErrorCode::BadInput
                .error(format!("search has {reached} {what}; at most {allowed} are allowed.")));
        }
    }
    let has = |word: &str| {
        // Only ASCII is folded by SQLite; principal names are stored folded in full.
        let spellings = [word.to_ascii_lowercase(), word.to_lowercase()];
        texts.iter().fold(Condition::any(), |any, text| {
            spellings.iter().fold(any, |any, word| any.add(within(backend, text.clone(), word)))
        })
    };
    Ok(words.into_iter().fold(Condition::all(), |all, word| all.add(has(word))))
}
