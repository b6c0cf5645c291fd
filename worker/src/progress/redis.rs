//! Bells over Redis: one subscription a process, and one task that publishes.

use std::collections::HashSet;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{Msg, PushInfo, PushKind, RedisResult};
use secrecy::SecretString;
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use super::{Bell, ProgressError};
use crate::redis::{AddressError, connect};

const CHANNEL: &str = "tenantry:progress";

/// How many bells are sent at once.
const BATCH: usize = 500;

/// Between two tries while Redis is away.
const PAUSE: Duration = Duration::from_millis(250);

/// Passes on to `heard` what Redis tells, and to Redis what comes out of `outgoing`, until that closes.
pub(super) async fn start(
    url: &SecretString,
    heard: broadcast::Sender<Bell>,
    outgoing: mpsc::Receiver<Uuid>,
) -> Result<(), ProgressError> {
    let connection = connect(url, move |push| {
        if let Some(bell) = bell(push) {
            // An error says that nobody watches.
            let _ = heard.send(bell);
        }
    });
    let mut connection = connection.await.map_err(|error| match error {
        AddressError::Malformed => ProgressError::Address,
        AddressError::Unreachable(error) => ProgressError::Unavailable(error),
    })?;
    connection.subscribe(CHANNEL).await.map_err(ProgressError::Unavailable)?;
    tokio::spawn(send_all(connection, outgoing));
    Ok(())
}

fn bell(push: PushInfo) -> Option<Bell> {
    match push.kind {
        PushKind::Message => {
            let id = Uuid::from_slice(Msg::from_push_info(push)?.get_payload_bytes()).ok()?;
            Some(Bell::Moved(id))
        }
        // What was rung while the subscription was away is lost; only now will nothing more be.
        PushKind::Subscribe => Some(Bell::Reload),
        _ => None,
    }
}

async fn send_all(connection: ConnectionManager, mut outgoing: mpsc::Receiver<Uuid>) {
    let mut waiting = Vec::new();
    let mut failures = 0_u64;
    while outgoing.recv_many(&mut waiting, BATCH).await > 0 {
        // Two bells for one operation are one.
        let bells: HashSet<Uuid> = waiting.drain(..).collect();
        while let Err(error) = send(&connection, &bells).await {
            failures += 1;
            if failures == 1 {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "bells cannot be sent: Redis does not answer");
            }
            tokio::time::sleep(PAUSE).await;
        }
        if failures > 0 {
            tracing::info!(tries = failures, "bells are sent again");
            failures = 0;
        }
    }
}

async fn send(connection: &ConnectionManager, bells: &HashSet<Uuid>) -> RedisResult<()> {
    let mut pipeline = redis::pipe();
    for id in bells {
        pipeline.publish(CHANNEL, id.as_bytes().as_slice()).ignore();
    }
    pipeline.query_async(&mut connection.clone()).await
}
