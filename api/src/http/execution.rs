//! From the parameters of a request to its answer, whatever transport brought them: who asks, the guard,
//! the run within its time, the seal.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request};
use futures::{FutureExt, Stream, StreamExt};
use migration::wall;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use uuid::Uuid;

use super::answer::{Answer, Refusal};
use super::parameters::Parameters;
use super::seal::Seal;
use super::trace::TraceId;
use super::turns::Turns;
use crate::authentication::{Authenticate, Presented, TokenRefused};
use crate::error::ErrorCode;
use crate::limits::Limits;
use crate::viewer::{Origin, Viewer};

/// How often the viewer is asked for while a live query runs: what is revoked ends within a second.
pub(super) const CHECK: Duration = Duration::from_millis(500);

/// Executes requests.
pub(super) struct Execution<E> {
    pub(super) schema: E,
    pub(super) limits: Limits,
    pub(super) authenticator: Arc<dyn Authenticate>,
    pub(super) development: bool,
    pub(super) turns: Turns,
    /// The runtime of the process, not of the server's thread.
    pub(super) runtime: Handle,
}

/// One thing to execute.
pub(super) struct Asked {
    pub(super) parameters: Parameters,
    pub(super) viewer: Option<Viewer>,
    pub(super) address: Option<String>,
    pub(super) trace: TraceId,
    /// By GET: then it may change nothing.
    pub(super) is_safe: bool,
}

struct Admitted {
    request: Request,
    kind: OperationType,
    seal: Seal,
    /// Whose rows the resolvers can see at most.
    organization: Option<Uuid>,
}

impl<E: Executor> Execution<E> {
    /// The viewer whom what was presented names; none if nothing was.
    pub(super) async fn authenticate(&self, presented: &Presented) -> Result<Option<Viewer>, TokenRefused> {
        self.authenticator.authenticate(presented).await
    }

    /// Who has no token may do nothing, but in development read the schema.
    pub(super) fn admits(&self, viewer: Option<Viewer>) -> Result<(), Refusal> {
        if viewer.is_some() || self.development { Ok(()) } else { Err(Refusal::token_missing()) }
    }

    /// Answers a query or a mutation. Dropped, it is cancelled.
    pub(super) async fn answer(self: Arc<Self>, asked: Asked) -> Answer {
        let runtime = self.runtime.clone();
        let work = async move {
            match self.admit(asked) {
                Ok(Admitted { kind: OperationType::Subscription, .. }) => {
                    let message = "Live queries are answered at /graphql/ws, or here as text/event-stream.";
                    Answer::Refused(Refusal::new(ErrorCode::BadRequest, message))
                }
                Ok(admitted) => self.execute(admitted).await,
                Err(refusal) => Answer::Refused(refusal),
            }
        };
        let task = AbortOnDropHandle::new(runtime.spawn(work.in_current_span()));
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request was not answered");
            Answer::Refused(Refusal::internal())
        })
    }

    /// Answers anything, one answer after the other.
    pub(super) fn follow(self: Arc<Self>, asked: Asked) -> impl Stream<Item = Answer> + Send {
        async_stream::stream! {
            let admitted = match self.admit(asked) {
                Ok(admitted) => admitted,
                Err(refusal) => {
                    yield Answer::Refused(refusal);
                    return;
                }
            };
            if admitted.kind != OperationType::Subscription {
                yield self.execute(admitted).await;
                return;
            }
            let Admitted { request, seal, organization, .. } = admitted;
            let mut responses = self.schema.execute_stream(request, None);
            let mut is_first = true;
            loop {
                match AssertUnwindSafe(wall::within(organization, responses.next())).catch_unwind().await {
                    Ok(Some(response)) if is_first => yield seal.close_first(response),
                    Ok(Some(response)) => yield seal.close(response),
                    Ok(None) => return,
                    Err(_) => {
                        yield panicked(&seal);
                        return;
                    }
                }
                is_first = false;
            }
        }
    }

    fn admit(&self, asked: Asked) -> Result<Admitted, Refusal> {
        let Asked { parameters, viewer, address, trace, is_safe } = asked;
        self.admits(viewer)?;
        let admitted = self.limits.admit(
            &parameters.query,
            parameters.operation_name.as_deref(),
            &parameters.variables,
        )?;
        if is_safe && admitted.kind == OperationType::Mutation {
            return Err(Refusal::method("POST", "Mutations are sent by POST."));
        }
        let reads_schema = self.development || viewer.is_some_and(|viewer| viewer.is_admin());
        if admitted.introspects && !reads_schema {
            return Err(Refusal::new(ErrorCode::Forbidden, "The schema may be read by an ADMIN."));
        }
        if viewer.is_none() && !admitted.only_introspects {
            return Err(Refusal::token_missing());
        }
        let member = viewer.map(|viewer| tracing::field::display(viewer.member_id));
        tracing::debug!(graphql.cost = admitted.cost, member.id = member, "admitted");
        let mut request = parameters.into_request();
        request.set_parsed_query(admitted.document);
        if let Some(viewer) = viewer {
            let origin = Origin { address, request_id: trace.as_str().to_owned() };
            request = request.data(viewer).data(origin);
        }
        let seal = Seal { trace, suggests: reads_schema };
        let organization = viewer.map(|viewer| viewer.organization_id);
        Ok(Admitted { request, kind: admitted.kind, seal, organization })
    }

    async fn execute(&self, admitted: Admitted) -> Answer {
        let Admitted { request, seal, organization, .. } = admitted;
        let allowed = self.limits.execution;
        let run = wall::within(organization, self.schema.execute(request));
        let run = AssertUnwindSafe(run).catch_unwind();
        match tokio::time::timeout(allowed, self.turns.take(run)).await {
            Ok(Ok(response)) => seal.close(response),
            Ok(Err(_)) => panicked(&seal),
            Err(_) => {
                tracing::warn!(trace.id = %seal.trace, "a request was cancelled: it took too long");
                let message = format!("It took longer than the {} ms allowed.", allowed.as_millis());
                Answer::Refused(Refusal::new(ErrorCode::TimedOut, message))
            }
        }
    }
}

/// The panic itself has been reported where it happened.
fn panicked(seal: &Seal) -> Answer {
    tracing::error!(trace.id = %seal.trace, "a resolver panicked");
    Answer::Refused(Refusal::internal())
}
