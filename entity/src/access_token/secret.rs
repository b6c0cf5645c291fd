//! The text of an access token: `tnt_`, 30 random characters, 6 of a checksum.
//!
//! 30 characters of base62 are 178 bits. The checksum (CRC-32 of what stands before it, in base62) is for
//! people and for secret scanners: what was cut or mistyped is told from what is unknown without a database.

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// How every access token begins.
pub const PREFIX: &str = "tnt_";

const RANDOM: usize = 30;
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text has the prefix of an access token, but something of it is missing or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token is incomplete")]
pub struct Incomplete;

/// A whole access token; whether it is a known one, only the database can say.
#[derive(Clone, Debug)]
pub struct AccessTokenSecret(SecretString);

impl AccessTokenSecret {
    /// A new one.
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let digits = (0..RANDOM).map(|_| char::from(DIGITS[rng.random_range(0..DIGITS.len())]));
        let body: String = PREFIX.chars().chain(digits).collect();
        let checksum = checksum(&body);
        Self(SecretString::from(body + &checksum))
    }

    /// Whether `text` is meant to be an access token.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads what was presented; needs no database.
    pub fn parse(text: &str) -> Result<Self, Incomplete> {
        let is_whole = text.len() == LENGTH
            && text.is_char_boundary(LENGTH - CHECKSUM)
            && Self::is_meant(text)
            && checksum(&text[..LENGTH - CHECKSUM]) == text[LENGTH - CHECKSUM..];
        if is_whole { Ok(Self(SecretString::from(text))) } else { Err(Incomplete) }
    }

    /// How it is kept: SHA-256. It is found by this, so nothing of it is compared character by character.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose_secret()).into()
    }

    /// Its last four characters, to tell it by.
    pub fn last_four(&self) -> &str {
        &self.0.expose_secret()[LENGTH - 4..]
    }
}

impl ExposeSecret<str> for AccessTokenSecret {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn whole() -> String {
        AccessTokenSecret::random().expose_secret().to_owned()
    }

    #[test]
    fn what_is_made_is_read_and_recognisable() {
        let token = whole();
        assert_eq!(token.len(), 40);
        assert!(token.starts_with("tnt_") && token[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let read = AccessTokenSecret::parse(&token).unwrap();
        assert_eq!(read.expose_secret(), token);
        assert_eq!(read.last_four(), &token[36..]);
        assert_eq!(format!("{read:?}").find(&token[4..]), None);
    }

    #[test]
    fn two_million_random_strings_of_the_right_form_never_pass_the_checksum() {
        let mut rng = StdRng::seed_from_u64(2_000_000);
        let mut text = String::with_capacity(LENGTH);
        for _ in 0..2_000_000 {
            text.clear();
            text.push_str(PREFIX);
            text.extend((0..RANDOM + CHECKSUM).map(|_| char::from(DIGITS[rng.random_range(0..62)])));
            assert!(AccessTokenSecret::parse(&text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_prefix_and_any_suffix_is_incomplete(at in 0..LENGTH) {
            let token = whole();
            prop_assert!(AccessTokenSecret::parse(&token[..at]).is_err());
            prop_assert!(AccessTokenSecret::parse(&token[at + 1..]).is_err());
            let added = format!("{token}{}", &token[at..=at]);
            prop_assert!(AccessTokenSecret::parse(&added).is_err());
        }

        #[test]
        fn any_flipped_bit_is_incomplete(at in 0..LENGTH, bit in 0..7_u8) {
            let mut bytes = whole().into_bytes();
            bytes[at] ^= 1 << bit;
            let flipped = String::from_utf8(bytes).unwrap();
            prop_assert!(AccessTokenSecret::parse(&flipped).is_err());
        }

        #[test]
        fn any_changed_case_is_incomplete(at in 0..LENGTH) {
            let token = whole();
            for changed in [token.to_ascii_lowercase(), token.to_ascii_uppercase()] {
                prop_assert!(changed == token || AccessTokenSecret::parse(&changed).is_err());
            }
            let letter = &token[at..=at];
            let other = if letter.to_ascii_lowercase() == letter { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            prop_assert!(changed == token || AccessTokenSecret::parse(&changed).is_err());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}", tail in "\\PC{0,40}") {
            prop_assert!(AccessTokenSecret::parse(&text).is_err());
            let meant = format!("tnt_{tail}");
            prop_assert!(AccessTokenSecret::parse(&meant).is_err());
        }
    }
}
