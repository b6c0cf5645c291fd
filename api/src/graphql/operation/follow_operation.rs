//! The live query `operation`: the row, read again whenever somebody says that it moved on.

use async_graphql::{Context, ID, Result, Subscription};
use futures::Stream;

use super::Operation;
use crate::graphql::ids::Kind;
use crate::graphql::live::follow;
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// The live query of this file.
#[derive(Default)]
pub struct FollowOperation;

#[Subscription(name = "FollowOperation")]
impl FollowOperation {
    /// One operation: as it is now, then again whenever it has moved on, at most ten times a second. Completes
    /// when the operation has ended. Null, once, if there is no such operation.
    /// Needs the role `VIEWER`, or the scope `operations:read`.
    #[expect(clippy::unused_async, reason = "the library wants a future")]
    async fn operation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The operation's id.")] id: ID,
    ) -> Result<impl Stream<Item = Option<Operation>> + use<>> {
        let scope = Scope::of(ctx, Permission::ReadOperations)?;
        let id = Kind::Operation.row(&id)?;
        Ok(follow(scope.services.clone(), scope.viewer, id, Operation::has_ended))
    }
}
