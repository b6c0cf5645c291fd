//! GraphQL over server-sent events, one connection an operation: `next` for each answer, `complete` at the end.
//!
//! <https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>: distinct connections. Whoever comes
//! back asks again, and gets the state as it is then.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use async_graphql::Executor;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::answer::{Answer, Refusal};
use super::execution::{Asked, CHECK, Execution};
use super::media::Media;
use super::trace::TraceId;
use crate::authentication::{Presented, TokenRefused};

/// Answers that wait for the client.
const WAITING: usize = 8;

enum Event {
    Answer(Answer),
    Heartbeat,
    Complete,
}

/// Answers one request with events. What is refused before anything was executed is an HTTP status, and no
/// event.
pub(super) async fn respond<E: Executor>(
    execution: Arc<Execution<E>>,
    asked: Asked,
    presented: Presented,
    shutdown: CancellationToken,
) -> HttpResponse {
    let trace = asked.trace.clone();
    let (sender, mut events) = mpsc::channel(WAITING);
    let runtime = execution.runtime.clone();
    let work = follow(execution, asked, presented, sender, shutdown);
    let task = AbortOnDropHandle::new(runtime.spawn(work.in_current_span()));
    let first = match events.recv().await {
        Some(Event::Answer(Answer::Refused(refusal))) => {
            return Answer::Refused(refusal).respond(Media::GraphqlResponse, &trace);
        }
        Some(first) => first,
        None => return Answer::Refused(Refusal::internal()).respond(Media::GraphqlResponse, &trace),
    };
    let rest = ReceiverStream::new(events);
    let told = stream::once(async { first }).chain(rest).map(move |event| {
        // It ends with the answer: nobody is left to tell.
        let _alive = &task;
        Ok::<_, Infallible>(event.told(&trace))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-cache, no-store"))
        // Neither we nor a proxy may hold an event back to fill a buffer.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(told)
}

impl Event {
    fn told(self, trace: &TraceId) -> Bytes {
        Bytes::from(match self {
            Self::Answer(Answer::Executed(body)) => format!("event: next\ndata: {body}\n\n"),
            Self::Answer(Answer::Refused(refusal)) => {
                let body = json!({ "errors": refusal.into_errors(trace) });
                format!("event: next\ndata: {body}\n\n")
            }
            Self::Heartbeat => ":\n\n".to_owned(),
            Self::Complete => "event: complete\ndata:\n\n".to_owned(),
        })
    }
}

/// Waits until the viewer is refused. That nobody can say is no reason to hang up.
async fn refused<E: Executor>(execution: &Execution<E>, presented: &Presented) -> TokenRefused {
    let mut check = interval_at(Instant::now() + CHECK, CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        check.tick().await;
        match execution.authenticate(presented).await {
            Err(refused) if refused != TokenRefused::Unavailable => return refused,
            _ => {}
        }
    }
}

/// Hands over each answer, until there is none, the viewer is refused, or the process stops.
async fn follow<E: Executor>(
    execution: Arc<Execution<E>>,
    asked: Asked,
    presented: Presented,
    events: mpsc::Sender<Event>,
    shutdown: CancellationToken,
) {
    let limits = &execution.limits;
    let mut heartbeat = interval_at(Instant::now() + limits.ping, limits.ping);
    // Polled beside the answers: one that is being worked on may hold what the question waits for.
    let mut refused = pin!(refused(&execution, &presented));
    let mut answers = pin!(Arc::clone(&execution).follow(asked));
    loop {
        let event = tokio::select! {
            // The client asks again, of another process.
            () = shutdown.cancelled() => return,
            answer = answers.next() => answer.map_or(Event::Complete, Event::Answer),
            _ = heartbeat.tick() => Event::Heartbeat,
            refused = &mut refused => Event::Answer(Answer::Refused(refused.into())),
        };
        let is_refused = matches!(event, Event::Answer(Answer::Refused(_)));
        let is_last = matches!(event, Event::Complete);
        // A client that takes nothing for so long is as good as gone.
        if !matches!(timeout(limits.send, events.send(event)).await, Ok(Ok(()))) || is_last {
            return;
        }
        if is_refused {
            drop(events.send(Event::Complete).await);
            return;
        }
    }
}
