//! Development tokens: what the command line issues to whoever holds the encryption key. None outlives the
//! data key that signs it.

use chrono::{DateTime, Utc};
use entity::Keyring;
use entity::pasted::jwt::Jwt;
use entity::sealed::KeyId;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::TokenRefused;

/// Keeps a token's key apart from every other key derived from the same data key.
const KEY_LABEL: &str = "tenantry development token";

/// Issues and verifies development tokens: signed (HS256) with a key derived from the current data key, which
/// the token names.
#[derive(Clone)]
pub struct DevelopmentTokens {
    keyring: Keyring,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The member.
    sub: Uuid,
    /// Seconds since 1970.
    exp: i64,
}

impl DevelopmentTokens {
    /// Tokens of the installation that holds `keyring`.
    pub fn new(keyring: &Keyring) -> Self {
        Self { keyring: keyring.clone() }
    }

    /// A token whose holder is this member until `expires_at`.
    pub fn issue(&self, member_id: Uuid, expires_at: DateTime<Utc>) -> SecretString {
        let claims = Claims { sub: member_id, exp: expires_at.timestamp() };
        let (id, key) = self.keyring.derive_current(KEY_LABEL);
        let header = Header { kid: Some(id.to_string()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key.as_slice()))
            .expect("HS256 signs any claims");
        SecretString::from(token)
    }

    /// Whether a whole token is meant to be one of these: no issuer of members' tokens signs by this algorithm.
    pub fn is_meant(token: &str) -> bool {
        jsonwebtoken::decode_header(token).is_ok_and(|header| header.alg == Algorithm::HS256)
    }

    /// The member whom `token` names, or why it names none.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Uuid, TokenRefused> {
        if Jwt::parse(token).is_none() {
            return Err(TokenRefused::Incomplete);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is judged below, by the injected clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let verifies = self.key_of(token).ok_or(TokenRefused::NotRecognized)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &verifies, &validation)
            .map_err(|_| TokenRefused::NotRecognized)?
            .claims;
        if claims.exp <= now.timestamp() {
            return Err(TokenRefused::Expired(DateTime::from_timestamp(claims.exp, 0)));
        }
        Ok(claims.sub)
    }

    /// None: it names no data key that is still there.
    fn key_of(&self, token: &str) -> Option<DecodingKey> {
        let id: KeyId = jsonwebtoken::decode_header(token).ok()?.kid?.parse().ok()?;
        let key = self.keyring.derive_of(id, KEY_LABEL)?;
        Some(DecodingKey::from_secret(key.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const MEMBER: Uuid = Uuid::from_u128(2);

    fn tokens() -> DevelopmentTokens {
        DevelopmentTokens::new(&Keyring::new([1; 32], []))
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn token() -> String {
        tokens().issue(MEMBER, now() + TimeDelta::hours(1)).expose_secret().to_owned()
    }

    #[test]
    fn names_its_member_until_it_expires() {
        assert_eq!(tokens().verify(&token(), now()), Ok(MEMBER));
        let later = now() + TimeDelta::hours(1);
        assert_eq!(tokens().verify(&token(), later), Err(TokenRefused::Expired(Some(later))));
    }

    #[test]
    fn of_another_installation_is_not_recognized() {
        let others = DevelopmentTokens::new(&Keyring::new([2; 32], []));
        assert_eq!(others.verify(&token(), now()), Err(TokenRefused::NotRecognized));
    }

    #[test]
    fn of_a_former_key_is_recognized_and_of_a_retired_one_is_not() {
        let rotated = |former: &[[u8; 32]]| DevelopmentTokens::new(&Keyring::new([2; 32], former.to_vec()));

        assert_eq!(rotated(&[[1; 32]]).verify(&token(), now()), Ok(MEMBER));
        assert_eq!(rotated(&[]).verify(&token(), now()), Err(TokenRefused::NotRecognized));
    }

    #[test]
    fn without_signature_or_of_another_algorithm_is_refused() {
        let claims = token().split('.').nth(1).unwrap().to_owned();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert_eq!(tokens().verify(&format!("{none}.{claims}."), now()), Err(TokenRefused::Incomplete));
        let rs256 = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let signature = URL_SAFE_NO_PAD.encode([0; 256]);
        let forged = format!("{rs256}.{claims}.{signature}");
        assert_eq!(tokens().verify(&forged, now()), Err(TokenRefused::NotRecognized));
    }

    proptest! {
        #[test]
        fn any_cut_is_incomplete(at in any::<prop::sample::Index>()) {
            let whole = token();
            let cut = &whole[..at.index(whole.len())];
            prop_assert_eq!(tokens().verify(cut, now()), Err(TokenRefused::Incomplete));
        }

        #[test]
        fn anything_else_is_refused(text in ".*") {
            prop_assert!(tokens().verify(&text, now()).is_err());
        }
    }
}
