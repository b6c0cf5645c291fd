//! The one guard: on whose behalf, and with which permission, a field is resolved.

use std::error::Error as StdError;

use async_graphql::{Context, Error, Result};
use entity::audit_event::Record;
use entity::{Owned, Work, operation};
use sea_orm::{ConnAcquireErr, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Select};
use uuid::Uuid;

use crate::consent::Asking;
use crate::error::ErrorCode;
use crate::permission::{Missing, Permission};
use crate::services::Services;
use crate::viewer::{Origin, Viewer};

/// What a resolver works with. Having one proves that the viewer may do what was asked.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What the api has at hand.
    pub services: &'a Services,
    /// Who asks.
    pub viewer: Viewer,
    /// From where.
    pub origin: Option<&'a Origin>,
}

impl<'a> Scope<'a> {
    /// For a viewer who may do this.
    pub fn of(ctx: &Context<'a>, permission: Permission) -> Result<Self> {
        let viewer = *ctx
            .data_opt::<Viewer>()
            .ok_or_else(|| ErrorCode::Unauthenticated.error("Sign in: this needs a token."))?;
        permission.check(&viewer).map_err(Missing::error)?;
        Ok(Self { services: services(ctx)?, viewer, origin: ctx.data_opt::<Origin>() })
    }

    /// The truth.
    pub fn database(&self) -> &'a DatabaseConnection {
        &self.services.database
    }

    /// Which SQL is spoken.
    pub fn backend(&self) -> DbBackend {
        self.database().get_database_backend()
    }

    /// The rows that the viewer can see.
    pub fn owned<E: Owned>(&self) -> Select<E> {
        let rows = E::owned_by(self.viewer.organization_id);
        match self.viewer.limited_by {
            Some(holder) => E::within(rows, holder),
            None => rows,
        }
    }

    /// A transaction that writes.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.services.begin().await
    }

    /// A consent that the viewer asks for, of the tenant that Microsoft knows by this id.
    pub fn asking(&self, entra_tenant_id: Uuid, work: Work) -> Asking {
        Asking {
            organization_id: self.viewer.organization_id,
            member_id: self.viewer.member_id,
            entra_tenant_id,
            work,
            author: self.viewer.author(self.origin),
        }
    }

    /// An operation that the viewer begins.
    pub fn operation(&self, tenant_id: Uuid, consent_id: Option<Uuid>, work: Work) -> operation::Request {
        operation::Request {
            organization_id: self.viewer.organization_id,
            member_id: self.viewer.member_id,
            tenant_id,
            consent_id,
            work,
        }
    }

    /// Writes into the audit that the viewer did what `record` says. Has to be the last thing that the transaction
    /// of the change does: see [`worker::audit::append`].
    pub async fn audit(&self, transaction: &DatabaseTransaction, record: Record) -> Result<(), DbErr> {
        let (keyring, now) = (&self.services.keyring, self.services.clock.now());
        let author = self.viewer.author(self.origin);
        worker::audit::append(transaction, keyring, now, &author, record).await?;
        Ok(())
    }
}

/// What the api has at hand; it asks for nobody.
fn services<'a>(ctx: &Context<'a>) -> Result<&'a Services> {
    ctx.data_opt::<Services>().ok_or_else(|| missing("the api's services"))
}

/// We broke, or the database has too much to do: the cause goes to the log, and nothing of it to the client.
pub fn internal(error: &(dyn StdError + 'static)) -> Error {
    tracing::error!(error, "a field could not be resolved");
    match error.downcast_ref() {
        Some(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) => {
            ErrorCode::UpstreamUnavailable.error("The database is busy. Try again in a moment.")
        }
        _ => broken(),
    }
}

/// We broke: something that is always there is not.
pub fn missing(what: &'static str) -> Error {
    tracing::error!(what, "a field could not be resolved: this is missing");
    broken()
}

/// We broke, and the log knows why.
pub fn broken() -> Error {
    ErrorCode::Internal.error(
        "Tenantry could not answer this. Try again; if it happens again, give the trace id \
         to whoever runs this installation.",
    )
}

/// The answer of a nullable field: when it failed it is null and the error stands beside it. Such a field
/// never returns the error itself, since async-graphql 7.0.19 would then drop its siblings too.
pub fn or_null<T>(ctx: &Context<'_>, answer: Result<Option<T>>) -> Option<T> {
    answer.unwrap_or_else(|error| {
        ctx.add_error(ctx.set_error_path(error.into_server_error(ctx.item.pos)));
        None
    })
}
