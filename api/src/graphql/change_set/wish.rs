//! What is wished of every selected resource.

use std::collections::HashSet;

use async_graphql::InputObject;
use entity::tags::name_term;
use worker::change_set::{Removal, Renaming, Wish};

use crate::graphql::user_error::{UserError, UserErrorCode};

/// The most tags that are changed at once: no resource takes more.
const MOST: usize = 50;

/// The longest text that is taken at all. Whether Azure takes it is said for each resource.
const LONGEST: usize = 2_000;

/// A tag that a resource is to have.
#[derive(InputObject, Clone)]
#[graphql(name = "TagInput")]
pub struct TagInput {
    /// Its name. Where a tag of this name is there in another case, that stays as it is spelled.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A tag that a resource is not to have.
#[derive(InputObject, Clone)]
#[graphql(name = "TagRemovalInput")]
pub struct TagRemovalInput {
    /// Its name, in whichever case.
    pub name: String,
    /// Only where it has this value; left out: whatever its value is.
    pub value: Option<String>,
}

/// A tag that is to have another name, and to keep its value.
#[derive(InputObject, Clone)]
#[graphql(name = "TagRenamingInput")]
pub struct TagRenamingInput {
    /// The name that it has, in whichever case.
    pub from: String,
    /// The name that it is to have; it may be the same in another case.
    pub to: String,
}

/// The wish, if it does not contradict itself.
pub fn wish(
    set: Vec<TagInput>,
    remove: Vec<TagRemovalInput>,
    rename: Vec<TagRenamingInput>,
) -> Result<Wish, UserError> {
    let wish = Wish {
        set: set.into_iter().map(|tag| (tag.name, tag.value)).collect(),
        remove: remove.into_iter().map(|tag| Removal { name: tag.name, value: tag.value }).collect(),
        rename: rename.into_iter().map(|tag| Renaming { from: tag.from, to: tag.to }).collect(),
    };
    match fault(&wish) {
        Some(message) => Err(UserError::new(UserErrorCode::InvalidTags, "tags", message)),
        None => Ok(wish),
    }
}

fn fault(wish: &Wish) -> Option<String> {
    let Wish { set, remove, rename } = wish;
    let count = set.len() + remove.len() + rename.len();
    if !(1..=MOST).contains(&count) {
        return Some(format!("Name at least one tag, and at most {MOST} at once."));
    }
    let texts = set.iter().flat_map(|(name, value)| [name, value]);
    let texts = texts.chain(remove.iter().flat_map(|tag| std::iter::once(&tag.name).chain(&tag.value)));
    let mut texts = texts.chain(rename.iter().flat_map(|tag| [&tag.from, &tag.to]));
    if texts.any(|text| text.contains('\0') || text.chars().count() > LONGEST) {
        return Some(format!("A name or value has a NUL character, or more than {LONGEST} characters."));
    }
    let mut names: Vec<String> = set.iter().map(|(name, _)| name_term(name)).collect();
    names.extend(remove.iter().map(|tag| name_term(&tag.name)));
    for tag in rename {
        let (from, to) = (name_term(&tag.from), name_term(&tag.to));
        let is_other = from != to;
        names.push(from);
        names.extend(is_other.then_some(to));
    }
    let mut seen = HashSet::new();
    let twice = names.into_iter().find(|name| !seen.insert(name.clone()))?;
    Some(format!("\"{twice}\" is named twice; the case of a name does not tell two apart."))
}
