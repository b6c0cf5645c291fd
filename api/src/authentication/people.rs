//! Members: found by their id, or by who vouches for them, as they are now.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::member;
use microsoft::{Identity, JwtError, Provider};
use sea_orm::DatabaseConnection;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::TokenRefused;
use super::fresh::Fresh;
use crate::viewer::Viewer;

/// Every member of this installation.
pub(super) struct People {
    database: DatabaseConnection,
    provider: Provider,
    by_id: Fresh<Uuid, Option<Arc<member::Model>>>,
    by_identity: Fresh<(String, String), Arc<Vec<member::Model>>>,
}

impl People {
    pub(super) fn new(database: DatabaseConnection, provider: Provider, runtime: Handle) -> Self {
        Self { database, provider, by_id: Fresh::new(runtime.clone()), by_identity: Fresh::new(runtime) }
    }

    /// The member of this id, who signed in at `since`; none: whoever told the id vouches for that.
    pub(super) async fn of_id(&self, id: Uuid, since: Option<DateTime<Utc>>) -> Result<Viewer, TokenRefused> {
        let database = self.database.clone();
        let look = async move { Ok(member::Entity::present(id).one(&database).await?.map(Arc::new)) };
        let found = self.by_id.get(id, look).await?;
        let is_signed_in = |member: &Arc<member::Model>| since.is_none_or(|at| member.is_signed_in_since(at));
        let found = found.filter(is_signed_in).ok_or(TokenRefused::Revoked(None))?;
        Ok(Viewer::of_member(&found))
    }

    /// The member whom the issuer's access token names: in `organization`, or else where the person has been a
    /// member the longest.
    pub(super) async fn of_token(
        &self,
        token: &str,
        organization: Option<Uuid>,
    ) -> Result<Viewer, TokenRefused> {
        let identity = self.provider.verify_access_token(token).await.map_err(refused)?;
        let members = self.of_identity(&identity).await?;
        let chosen = members
            .iter()
            .find(|member| organization.is_none_or(|organization| member.organization_id == organization))
            .ok_or(TokenRefused::NotAMember)?;
        if !chosen.is_signed_in_since(identity.issued_at) {
            return Err(TokenRefused::Revoked(chosen.signed_out_at));
        }
        Ok(Viewer::of_member(chosen))
    }

    async fn of_identity(&self, identity: &Identity) -> Result<Arc<Vec<member::Model>>, TokenRefused> {
        let (issuer, subject) = (identity.issuer.clone(), identity.subject.clone());
        let database = self.database.clone();
        let key = (issuer.clone(), subject.clone());
        let look = async move {
            let members = member::Entity::by_identity(&issuer, &subject).all(&database).await?;
            Ok(Arc::new(members))
        };
        self.by_identity.get(key, look).await
    }
}

fn refused(error: JwtError) -> TokenRefused {
    match error {
        JwtError::Expired(at) => TokenRefused::Expired(Some(at)),
        JwtError::Keys(error) => {
            tracing::error!(%error, "the issuer's keys could not be fetched");
            TokenRefused::Unavailable
        }
        error => {
            tracing::debug!(%error, "a token is not believed");
            TokenRefused::NotRecognized
        }
    }
}
