//! Sends a browser to the issuer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::consent::hash;
use entity::{Failure, FixableBy};
use microsoft::SignInRequest;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::{COOKIE, PATIENCE, UnderWay, random_secret};
use crate::page::Page;
use crate::services::Services;

/// What a browser asks for when it comes to sign in.
#[derive(Default)]
pub struct Wanted {
    /// Where it wants to go afterwards.
    pub return_to: Option<String>,
    /// In which organization.
    pub organization: Option<Uuid>,
    /// The secret of an invitation's link.
    pub invitation: Option<SecretString>,
}

/// Answers where the issuer signs people in, and the cookie by which this browser is known when it comes back.
pub async fn start(services: &Services, wanted: Wanted) -> Result<(Url, SecretString), Page> {
    let (state, nonce, code_verifier) = (random_secret(), random_secret(), random_secret());
    let under_way = UnderWay {
        state_hash: hash(state.expose_secret()),
        nonce: nonce.expose_secret().to_owned(),
        code_verifier: code_verifier.expose_secret().to_owned(),
        return_to: wanted.return_to.filter(|to| is_ours(to)),
        organization: wanted.organization,
        invitation: wanted.invitation.map(|secret| secret.expose_secret().to_owned()),
        expires_at: services.clock.now() + PATIENCE,
    };
    let chooses = under_way.invitation.is_some();
    let request = SignInRequest { state, nonce, code_verifier, chooses };
    let url = services.sign_in.authorization_url(&request).await.map_err(|error| {
        tracing::error!(%error, "nobody can sign in");
        Page::of_failure(
            "Nobody can sign in at the moment",
            &Failure::new(
                "ISSUER_UNAVAILABLE",
                true,
                FixableBy::Operator,
                "The issuer that signs people in could not be asked where. Try again in a moment; if it \
                 happens again, give the trace id to whoever runs this installation.",
            ),
        )
        .with_status(503)
    })?;
    let sealed = serde_json::to_vec(&under_way).map_err(|error| Page::broken(&error))?;
    let cookie = URL_SAFE_NO_PAD.encode(services.keyring.seal(&sealed, COOKIE));
    Ok((url, SecretString::from(cookie)))
}

/// Whether it is a path of ours: everything else could lead the person elsewhere.
fn is_ours(to: &str) -> bool {
    let mut letters = to.chars();
    letters.next() == Some('/')
        && !matches!(letters.next(), Some('/' | '\\'))
        && !to.contains(|letter: char| letter.is_control() || letter == '\\')
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn nobody_is_led_elsewhere() {
        for ours in ["/", "/graphiql", "/tenants?first=1#top"] {
            assert!(is_ours(ours), "{ours}");
        }
        for elsewhere in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil.example",
            "/\t/evil",
            "/a\\b",
        ] {
            assert!(!is_ours(elsewhere), "{elsewhere}");
        }
    }
}
