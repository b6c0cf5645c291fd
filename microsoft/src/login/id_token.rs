//! Verifies the id token of a consent: who consented, in which tenant, and for which request.

use crate::Login;
use crate::oidc::jwt::{Expected, Identity, JwtError};

impl Login {
    /// Verifies signature, issuer, audience, nonce and time of an id token.
    pub async fn verify_id_token(&self, id_token: &str, nonce: &str) -> Result<Identity, JwtError> {
        let audiences = [self.inner.client_id.clone()];
        let now = (self.inner.http.clock())();
        self.inner.issuer.verify(id_token, &Expected { audiences: &audiences, nonce: Some(nonce), now }).await
    }
}
