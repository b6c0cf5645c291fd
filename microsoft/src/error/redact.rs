//! Takes e-mail addresses and tokens out of Microsoft's messages, and keeps them short.

/// Longer messages only repeat themselves.
const LONGEST: usize = 400;

/// The message without addresses, tokens and what follows the first line.
pub(crate) fn redact(message: &str) -> String {
    let mut kept = String::with_capacity(message.len().min(LONGEST));
    // Entra's trace and correlation ids follow in lines of their own, and are fields of the body.
    let line = message.trim_start().split(['\r', '\n']).next().unwrap_or_default();
    for word in
        line.split_inclusive(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>' | ',' | ';'))
    {
        let core = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        if core.contains('@') {
            kept.push_str("[address]");
            kept.push_str(&word[core.len()..]);
        } else if looks_like_token(core) {
            kept.push_str("[token]");
            kept.push_str(&word[core.len()..]);
        } else {
            kept.push_str(word);
        }
        if kept.len() >= LONGEST {
            let end = kept.floor_char_boundary(LONGEST);
            kept.truncate(end);
            kept.push('…');
            break;
        }
    }
    kept
}

/// JWTs, refresh tokens and codes are long runs without a break; ids and scopes are shorter or have slashes.
fn looks_like_token(word: &str) -> bool {
    word.contains("eyJ") || (word.len() > 100 && !word.contains('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_and_tokens_are_removed() {
        let message = "The client 'ann@contoso.com' with object id 'a1' sent Bearer eyJhbGciOi.J9.sig, refused.\r\nTrace ID: x";
        assert_eq!(
            redact(message),
            "The client '[address]' with object id 'a1' sent Bearer [token], refused."
        );
    }

    #[test]
    fn long_messages_are_cut() {
        assert!(redact(&"word ".repeat(500)).len() < LONGEST + 10);
    }

    proptest! {
        #[test]
        fn no_address_survives(before in "[ -?A-~]{0,40}", user in "[a-z.]{1,10}", after in "[ -?A-~]{0,40}") {
            let kept = redact(&format!("{before} {user}@contoso.com {after}"));
            prop_assert!(!kept.contains('@'));
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,600}") {
            prop_assert!(redact(&text).len() <= LONGEST + 3);
        }
    }
}
