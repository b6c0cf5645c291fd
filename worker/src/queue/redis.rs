//! Tasks in Redis: six small scripts over five keys a queue.
//!
//! The keys of a queue share a hash tag, so they live together in a cluster: `ready`, `scheduled` and
//! `leased` are sorted sets of run keys (by order, by time, by the lease's end), `tasks` is a hash of packed
//! tasks, `dead` the newest dead letters. All times are Redis' own, so the clocks of the workers do not
//! matter. A finished task leaves nothing behind. No script handles more than [`BATCH`] tasks, and none takes
//! more from a script's stack than that.
//!
//! Publishing on `bell` wakes idle workers. A lost bell costs a worker's safety tick, no more.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{FromRedisValue, Msg, PushInfo, PushKind, Script, ScriptInvocation};
use secrecy::SecretString;
use tokio::sync::watch;

use super::store::{BATCH, DEAD_LETTERS, LeasedTask, Leases, NewTask, Settlement, Verdict, millis};
use super::{QueueDepth, QueueError};
use crate::redis::{AddressError, connect};

/// How long a push keeps trying. The row it announces is stored already, and the sweep rings again.
const PUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries of a push.
const PUSH_PAUSE: Duration = Duration::from_millis(50);

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::new(concat!(include_str!("redis/prelude.lua"), include_str!($file))))
    };
}

static PUSH: LazyLock<Script> = script!("redis/push.lua");
static LEASE: LazyLock<Script> = script!("redis/lease.lua");
static EXTEND: LazyLock<Script> = script!("redis/extend.lua");
static SETTLE: LazyLock<Script> = script!("redis/settle.lua");
static DEPTH: LazyLock<Script> = script!("redis/depth.lua");
static HASTEN: LazyLock<Script> = script!("redis/hasten.lua");

/// Key, payload, attempt, order, and the lease that is resumed, of a leased task.
type LeasedReply = (String, Vec<u8>, u32, u64, String);

/// The bells of this process, by channel.
type Bells = Arc<Mutex<HashMap<String, watch::Sender<()>>>>;

/// Tasks in Redis.
#[derive(Clone)]
pub(super) struct RedisStore {
    connection: ConnectionManager,
    bells: Bells,
}

impl RedisStore {
    pub async fn connect(url: &SecretString) -> Result<Self, QueueError> {
        let bells = Bells::default();
        let heard = Arc::clone(&bells);
        let connection = connect(url, move |push| ring(&heard, push)).await.map_err(|error| match error {
            AddressError::Malformed => QueueError::Address,
            AddressError::Unreachable(error) => QueueError::Unavailable(error),
        })?;
        Ok(Self { connection, bells })
    }

    pub async fn push(&self, queue: &str, tasks: &[NewTask]) -> Result<(), QueueError> {
        for batch in tasks.chunks(BATCH) {
            let mut call = invoke(&PUSH, queue);
            call.arg(channel(queue));
            for task in batch {
                // An absent deadline must still be an argument, or all that follow would shift.
                let deadline = task.deadline.map_or_else(String::new, |deadline| deadline.to_string());
                call.arg(&task.key).arg(&task.payload).arg(deadline).arg(millis(task.delay));
            }
            self.insist::<()>(&call).await?;
        }
        Ok(())
    }

    pub async fn lease(
        &self,
        queue: &str,
        token: &Arc<str>,
        count: usize,
        lease: Duration,
    ) -> Result<Leases, QueueError> {
        let mut call = invoke(&LEASE, queue);
        call.arg(&**token).arg(count.min(BATCH)).arg(millis(lease)).arg(BATCH);
        let (next, tasks): (i64, Vec<LeasedReply>) = self.call(&call).await?;
        let tasks = tasks.into_iter().map(|(key, payload, attempt, order, resumes)| LeasedTask {
            key: key.into(),
            token: Arc::clone(token),
            payload: payload.into(),
            attempt,
            order,
            resumes: (!resumes.is_empty()).then(|| resumes.into()),
        });
        Ok(Leases { tasks: tasks.collect(), next: duration(next) })
    }

    pub async fn extend(
        &self,
        queue: &str,
        tasks: &[LeasedTask],
        lease: Duration,
    ) -> Result<Vec<String>, QueueError> {
        let mut lost = Vec::new();
        for batch in tasks.chunks(BATCH) {
            let mut call = invoke(&EXTEND, queue);
            call.arg(millis(lease));
            for task in batch {
                call.arg(&*task.key).arg(&*task.token).arg(&*task.payload);
                call.arg(task.attempt).arg(task.order);
            }
            lost.extend(self.call::<Vec<String>>(&call).await?);
        }
        Ok(lost)
    }

    pub async fn settle(&self, queue: &str, settlements: &[Settlement]) -> Result<usize, QueueError> {
        let mut late = 0;
        for batch in settlements.chunks(BATCH) {
            let mut call = invoke(&SETTLE, queue);
            call.arg(channel(queue)).arg(DEAD_LETTERS);
            for Settlement { key, token, verdict } in batch {
                let (verdict, delay, attempts) = match verdict {
                    Verdict::Finish => ("finish", 0, 0),
                    Verdict::Bury => ("bury", 0, 0),
                    Verdict::Retry { delay, attempts } => ("retry", millis(*delay), *attempts),
                };
                call.arg(&**key).arg(&**token).arg(verdict).arg(delay).arg(attempts);
            }
            late += self.call::<usize>(&call).await?;
        }
        Ok(late)
    }

    pub async fn depth(&self, queue: &str) -> Result<QueueDepth, QueueError> {
        let (ready, scheduled, leased, dead, age) = self.call(&invoke(&DEPTH, queue)).await?;
        Ok(QueueDepth { ready, scheduled, leased, dead, oldest_ready_age: duration(age) })
    }

    pub async fn hasten(&self, queue: &str, by: Option<Duration>) -> Result<Option<Duration>, QueueError> {
        let by = by.and_then(|by| i64::try_from(millis(by)).ok()).unwrap_or(-1);
        let early = self.call(invoke(&HASTEN, queue).arg(channel(queue)).arg(by)).await?;
        Ok(duration(early))
    }

    pub async fn bell(&self, queue: &str) -> Result<watch::Receiver<()>, QueueError> {
        let channel = channel(queue);
        let heard = {
            let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
            bells.entry(channel.clone()).or_default().subscribe()
        };
        self.connection.clone().subscribe(channel).await.map_err(QueueError::Unavailable)?;
        Ok(heard)
    }

    async fn call<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        call.invoke_async(&mut self.connection.clone()).await.map_err(QueueError::Unavailable)
    }

    /// Repeats `call`, which must be harmless to repeat, until it succeeds or patience ends.
    async fn insist<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, QueueError> {
        let mut last = None;
        let tries = async {
            loop {
                match self.call(call).await {
                    Ok(answer) => return answer,
                    Err(error) => last = Some(error),
                }
                tokio::time::sleep(PUSH_PAUSE).await;
            }
        };
        let answer = tokio::time::timeout(PUSH_PATIENCE, tries).await;
        answer.map_err(|_| last.unwrap_or(QueueError::TimedOut))
    }
}

fn channel(queue: &str) -> String {
    format!("{{tenantry:{queue}}}:bell")
}

fn invoke<'a>(script: &'a Script, queue: &str) -> ScriptInvocation<'a> {
    let mut call = script.prepare_invoke();
    for name in ["ready", "scheduled", "leased", "tasks", "dead"] {
        call.key(format!("{{tenantry:{queue}}}:{name}"));
    }
    call
}

/// Scripts say "none" with a negative number.
fn duration(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// Wakes who listens to the channel of `push`; everybody, if bells may have been missed.
fn ring(bells: &Bells, push: PushInfo) {
    let bells = bells.lock().unwrap_or_else(PoisonError::into_inner);
    match push.kind {
        PushKind::Message => {
            if let Some(bell) =
                Msg::from_push_info(push).and_then(|message| bells.get(message.get_channel_name()))
            {
                bell.send_replace(());
            }
        }
        PushKind::Subscribe => bells.values().for_each(|bell| {
            bell.send_replace(());
        }),
        _ => {}
    }
}
