//! The live query `consent`: how it stands, and how long its window is still open.

use async_graphql::{Context, ID, Result, Subscription};
use entity::consent::State;
use futures::Stream;

use super::Consent;
use crate::graphql::ids::Kind;
use crate::graphql::live::follow;
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// The live query of this file.
#[derive(Default)]
pub struct FollowConsent;

#[Subscription(name = "FollowConsent")]
impl FollowConsent {
    /// One consent: as it is now, then again whenever it has moved on, and every few seconds so that a countdown is
    /// right. Completes when it was refused, has expired, or its window is closed. Null, once, if there is no such
    /// consent. Needs the role `VIEWER`, or the scope `consents:read`.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn consent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The consent's id.")] id: ID,
    ) -> Result<impl Stream<Item = Option<Consent>> + use<>> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        let id = Kind::Consent.row(&id)?;
        Ok(follow(scope.services.clone(), scope.viewer, id, Consent::has_ended))
    }
}

impl Consent {
    /// Whether nothing more will happen to it.
    fn has_ended(&self) -> bool {
        matches!(self.row.state, State::Refused | State::Expired | State::Closed)
    }
}
