//! Counts the tokens and the nesting of a document without parsing it.
//!
//! The parser descends once per open bracket, so nesting has to be bounded before it runs.

/// What a document's text amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) tokens: u64,
    pub(super) nesting: u64,
}

/// A string that is never closed. The parser would read what follows it in another way than we do, so
/// such a document goes no further.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclosed;

/// Reads `document` once, from left to right.
pub(super) fn measure(document: &str) -> Result<Text, Unclosed> {
    let bytes = document.as_bytes();
    let mut text = Text::default();
    let mut open = 0_u64;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
                continue;
            }
            b'"' if rest.starts_with(b"\"\"\"") => block_string(rest)?,
            b'"' => string(rest)?,
            b'.' if rest.starts_with(b"...") => 3,
            b'(' | b'[' | b'{' => {
                open += 1;
                text.nesting = text.nesting.max(open);
                1
            }
            b')' | b']' | b'}' => {
                open = open.saturating_sub(1);
                1
            }
            byte if is_word(byte) => word(rest),
            _ => 1,
        };
        text.tokens += 1;
        at += length;
    }
    Ok(text)
}

/// Of a name or a number. What is not ASCII can only be a mistake, which the parser will point at.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+') || !byte.is_ascii()
}

fn word(rest: &[u8]) -> usize {
    let is_number = matches!(rest[0], b'-' | b'0'..=b'9');
    let is_point =
        |at: usize| is_number && rest[at] == b'.' && rest.get(at + 1).is_some_and(u8::is_ascii_digit);
    (0..rest.len()).find(|at| !is_word(rest[*at]) && !is_point(*at)).unwrap_or(rest.len())
}

fn string(rest: &[u8]) -> Result<usize, Unclosed> {
    let mut at = 1;
    loop {
        match rest.get(at) {
            None | Some(b'\r' | b'\n') => return Err(Unclosed),
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

fn block_string(rest: &[u8]) -> Result<usize, Unclosed> {
    let mut at = 3;
    while at < rest.len() {
        if rest[at..].starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest[at..].starts_with(b"\"\"\"") {
            return Ok(at + 3);
        } else {
            at += 1;
        }
    }
    Err(Unclosed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(document: &str) -> (u64, u64) {
        let text = measure(document).unwrap();
        (text.tokens, text.nesting)
    }

    #[test]
    fn counts_what_the_specification_calls_tokens() {
        assert_eq!(text("{ a }"), (3, 1));
        assert_eq!(text("query Q($x: [Int!]! = [1, -2.5e+3]) { a(b: $x) ...F }"), (28, 2));
        assert_eq!(text("# [[[ not these\n{,a,b,}"), (4, 1));
    }

    #[test]
    fn brackets_in_strings_are_no_brackets() {
        assert_eq!(text(r#"{ a(b: "[[[\"[[[") }"#), (8, 2));
        assert_eq!(text("{ a(b: \"\"\"[[\n\\\"\"\"[[ \" [\"\"\") }"), (8, 2));
    }

    #[test]
    fn a_string_that_is_never_closed_ends_it() {
        for document in ["{ a(b: \"", "{ a(b: \"x\n\") }", "{ a(b: \"\"\"x) }", "[\"\"\"[\" [[[[", "\"\\"] {
            assert_eq!(measure(document), Err(Unclosed), "{document}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(document in ".*") {
            let _ = measure(&document);
        }

        #[test]
        fn nested_lists_are_measured_whatever_strings_lie_between(depth in 1..200_usize, text in "[a\\[{(# ]{0,8}") {
            let open = format!("[\"{text}\" \"\"\"{text}\"\"\" ").repeat(depth);
            let document = format!("{{ a(b: {open} {}) }}", "]".repeat(depth));
            prop_assert_eq!(measure(&document).unwrap().nesting, depth as u64 + 2);
        }
    }
}
