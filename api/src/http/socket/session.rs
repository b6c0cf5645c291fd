//! One socket: its state, what it is told, and the operations that run on it.
//!
//! Everything it holds is bounded. Its operations hand over their answers one by one; one that is not
//! taken holds up the operation, which then skips what has been overtaken; and a client that takes nothing
//! for long is let go.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseReason, Closed, ProtocolError};
use async_graphql::Executor;
use futures::StreamExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::close::Close;
use super::message::{self, FromClient};
use crate::authentication::{Presented, TokenRefused};
use crate::error::ErrorCode;
use crate::http::answer::{Answer, Refusal};
use crate::http::execution::{Asked, CHECK, Execution};
use crate::http::graphql::{bearer, named_organization};
use crate::http::parameters::Parameters;
use crate::http::trace::TraceId;
use crate::viewer::Viewer;

/// Answers that wait for the socket, of all its operations together.
const WAITING: usize = 8;

/// One socket.
struct Session<E> {
    execution: Arc<Execution<E>>,
    writer: actix_ws::Session,
    presented: Presented,
    is_acknowledged: bool,
    operations: HashMap<String, Running>,
    begun: u64,
    events: mpsc::Sender<Event>,
    last_heard: Instant,
}

/// An operation under way; it ends when this is dropped.
struct Running {
    /// An id may be used again, and its former operation may have left an answer behind.
    number: u64,
    _task: AbortOnDropHandle<()>,
}

/// What becomes of an operation.
struct Event {
    id: String,
    number: u64,
    what: What,
}

enum What {
    Next(String),
    Error(Refusal, TraceId),
    Complete,
}

/// Serves a socket that was just opened, with what its request presented, until it is closed.
pub(super) async fn run<E: Executor>(
    execution: Arc<Execution<E>>,
    writer: actix_ws::Session,
    mut reader: AggregatedMessageStream,
    presented: Presented,
    shutdown: CancellationToken,
) {
    let (events, waiting) = mpsc::channel(WAITING);
    let patience = execution.limits.send;
    let mut session = Session {
        execution,
        writer: writer.clone(),
        presented,
        is_acknowledged: false,
        operations: HashMap::new(),
        begun: 0,
        events,
        last_heard: Instant::now(),
    };
    let close = session.serve(&mut reader, waiting, &shutdown).await;
    drop(session);
    tracing::debug!(?close, "socket closed");
    let Some(reason) = close.reason() else { return };
    let farewell = async move {
        if writer.close(Some(reason)).await.is_ok() {
            // Until the client has read why: to hang up on what it still sends would erase that.
            while let Some(Ok(message)) = reader.recv().await {
                if matches!(message, AggregatedMessage::Close(_)) {
                    break;
                }
            }
        }
    };
    if timeout(patience, farewell).await.is_err() {
        tracing::debug!("the client did not take leave");
    }
}

impl<E: Executor> Session<E> {
    async fn serve(
        &mut self,
        reader: &mut AggregatedMessageStream,
        mut waiting: mpsc::Receiver<Event>,
        shutdown: &CancellationToken,
    ) -> Close {
        let limits = &self.execution.limits;
        let mut init = pin!(sleep_until(Instant::now() + limits.init));
        let mut ping = interval_at(Instant::now() + limits.ping, limits.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = interval_at(Instant::now() + CHECK, CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let served = tokio::select! {
                () = shutdown.cancelled() => Err(Close::Restart),
                () = &mut init, if !self.is_acknowledged => Err(Close::InitTimeout),
                received = reader.recv() => self.receive(received).await,
                Some(event) = waiting.recv() => self.pass_on(event).await,
                _ = check.tick(), if !self.operations.is_empty() => self.check().await,
                _ = ping.tick() => self.look_after().await,
            };
            if let Err(close) = served {
                return close;
            }
        }
    }

    async fn receive(
        &mut self,
        received: Option<Result<AggregatedMessage, ProtocolError>>,
    ) -> Result<(), Close> {
        self.last_heard = Instant::now();
        match received {
            Some(Ok(AggregatedMessage::Text(text))) => match FromClient::parse(&text)? {
                FromClient::Init { authorization, organization } => {
                    self.init(authorization, organization).await
                }
                FromClient::Ping(payload) => self.send(message::pong(payload)).await,
                FromClient::Pong => Ok(()),
                FromClient::Subscribe { id, parameters } => self.subscribe(id, parameters).await,
                FromClient::Complete(id) => {
                    self.operations.remove(&id);
                    Ok(())
                }
            },
            Some(Ok(AggregatedMessage::Binary(_))) => Err(Close::BadMessage("Messages are text")),
            Some(Ok(AggregatedMessage::Ping(payload))) => {
                taken(self.execution.limits.send, self.writer.pong(&payload)).await
            }
            Some(Ok(AggregatedMessage::Pong(_))) => Ok(()),
            Some(Ok(AggregatedMessage::Close(reason))) => {
                let reason = reason.as_ref().and_then(|reason: &CloseReason| reason.description.as_deref());
                tracing::debug!(reason, "the client closes the socket");
                Err(Close::ByClient)
            }
            Some(Err(ProtocolError::Overflow)) => Err(Close::TooBig),
            Some(Err(ProtocolError::Io(error))) if error.kind() == std::io::ErrorKind::Other => {
                // Whether the sum of its parts is too large, or it broke off, there is no telling.
                Err(Close::TooBig)
            }
            Some(Err(_)) => Err(Close::NotWebSocket),
            None => Err(Close::Gone),
        }
    }

    async fn init(
        &mut self,
        authorization: Option<SecretString>,
        organization: Option<String>,
    ) -> Result<(), Close> {
        if self.is_acknowledged {
            return Err(Close::SecondInit);
        }
        if let Some(authorization) = authorization {
            self.presented.bearer = bearer(authorization.expose_secret());
        }
        if let Some(organization) = organization {
            let named = named_organization(&organization);
            let refused = |refusal: Refusal| Close::Forbidden(refusal.message().to_owned());
            self.presented.organization = Some(named.map_err(refused)?);
        }
        let viewer = self.viewer().await.map_err(refused)?;
        self.execution.admits(viewer).map_err(|refusal| Close::Forbidden(refusal.message().to_owned()))?;
        self.is_acknowledged = true;
        self.send(message::connection_ack()).await
    }

    /// Asked for each operation and while one runs, so that an expired token does not live on in a socket.
    async fn viewer(&self) -> Result<Option<Viewer>, TokenRefused> {
        self.execution.authenticate(&self.presented).await
    }

    async fn subscribe(&mut self, id: String, parameters: Parameters) -> Result<(), Close> {
        if !self.is_acknowledged {
            return Err(Close::NotAcknowledged);
        }
        let viewer = self.viewer().await.map_err(refused)?;
        let trace = TraceId::new();
        let running = self.operations.len();
        let allowed = self.execution.limits.operations;
        match self.operations.entry(id.clone()) {
            Entry::Occupied(_) => return Err(Close::IdTaken(id)),
            Entry::Vacant(free) if running < allowed => {
                self.begun += 1;
                let number = self.begun;
                let address = self.presented.address.clone();
                let asked = Asked { parameters, viewer, address, trace, is_safe: false };
                let work = follow(Arc::clone(&self.execution), asked, id, number, self.events.clone());
                let task = self.execution.runtime.spawn(work.in_current_span());
                free.insert(Running { number, _task: AbortOnDropHandle::new(task) });
                return Ok(());
            }
            Entry::Vacant(_) => {}
        }
        let message = format!("This socket runs {running} operations already; {allowed} are allowed.");
        let refusal = Refusal::new(ErrorCode::RateLimited, message)
            .with("limit", "operations")
            .with("reached", running + 1)
            .with("allowed", allowed);
        self.send(message::error(&id, &refusal.into_errors(&trace))).await
    }

    async fn pass_on(&mut self, Event { id, number, what }: Event) -> Result<(), Close> {
        if self.operations.get(&id).is_none_or(|running| running.number != number) {
            return Ok(());
        }
        // The client may use the id again as soon as it reads that the operation has ended.
        if !matches!(what, What::Next(_)) {
            self.operations.remove(&id);
        }
        self.send(match what {
            What::Next(response) => message::next(&id, &response),
            What::Error(refusal, trace) => message::error(&id, &refusal.into_errors(&trace)),
            What::Complete => message::complete(&id),
        })
        .await
    }

    /// What was shown a moment ago may not be shown any more. That nobody can say is no reason to hang up.
    async fn check(&mut self) -> Result<(), Close> {
        match self.viewer().await {
            Err(why) if why != TokenRefused::Unavailable => Err(refused(why)),
            _ => Ok(()),
        }
    }

    async fn look_after(&mut self) -> Result<(), Close> {
        if self.last_heard.elapsed() > 2 * self.execution.limits.ping {
            return Err(Close::Gone);
        }
        taken(self.execution.limits.send, self.writer.ping(b"")).await
    }

    async fn send(&mut self, text: String) -> Result<(), Close> {
        taken(self.execution.limits.send, self.writer.text(text)).await
    }
}

/// The typed reason comes first, where programs find it.
fn refused(refused: TokenRefused) -> Close {
    let reason = refused.reason().map(|reason| format!("{reason}: ")).unwrap_or_default();
    Close::Forbidden(format!("{reason}{refused}"))
}

/// A client that takes nothing for so long is as good as gone.
async fn taken(patience: Duration, sent: impl Future<Output = Result<(), Closed>>) -> Result<(), Close> {
    match timeout(patience, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Closed)) | Err(_) => Err(Close::Gone),
    }
}

/// Runs one operation, and hands over what it answers.
async fn follow<E: Executor>(
    execution: Arc<Execution<E>>,
    asked: Asked,
    id: String,
    number: u64,
    events: mpsc::Sender<Event>,
) {
    let trace = asked.trace.clone();
    let event = |what| Event { id: id.clone(), number, what };
    let mut answers = pin!(execution.follow(asked));
    while let Some(answer) = answers.next().await {
        let what = match answer {
            Answer::Executed(response) => What::Next(response),
            Answer::Refused(refusal) => What::Error(refusal, trace.clone()),
        };
        let is_last = matches!(what, What::Error(..));
        if events.send(event(what)).await.is_err() || is_last {
            return;
        }
    }
    // The socket may be gone, and nobody waits for the end then.
    drop(events.send(event(What::Complete)).await);
}
