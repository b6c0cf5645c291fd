//! Names that people give to things.

use super::user_error::{UserError, UserErrorCode};

/// The longest name, in characters.
const LONGEST: usize = 100;

/// The name without what surrounds it.
pub fn check_name<'a>(field: &str, name: &'a str) -> Result<&'a str, UserError> {
    let name = name.trim();
    if (1..=LONGEST).contains(&name.chars().count()) && !name.contains(char::is_control) {
        return Ok(name);
    }
    let message = format!("Give a name of 1 to {LONGEST} characters, in one line.");
    Err(UserError::new(UserErrorCode::InvalidName, field, message))
}
