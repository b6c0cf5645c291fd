//! How much of Azure Resource Manager's published budgets two workers use together, and how often they are
//! refused: with budgets that they share in Redis, and with budgets of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use entity::Clock;
use futures::future::join_all;
use microsoft::{Caller, Microsoft, MicrosoftError, Role};
use simulator::{Config, Simulator};
use support::app::automation;
use support::figures::{Figure, of, rate};
use support::redis::RedisServer;
use url::Url;
use uuid::Uuid;
use worker::budgets::RedisBudgets;

/// Tasks of each worker that call as fast as they may: more than one queue's places.
const TASKS: usize = 16;

/// Until a full bucket is spent at any rate, and for how long is counted then.
const WARM_UP: Duration = Duration::from_secs(25);
const COUNTED: Duration = Duration::from_secs(40);

/// How long an answer takes.
const LATENCY: Duration = Duration::from_millis(100);

/// In percent of all calls.
const LIMIT_OF_REFUSALS: f64 = 1.0;

/// A kind of call and its published refill in a second.
#[derive(Clone, Copy)]
enum Kind {
    Reads,
    Writes,
}

impl Kind {
    fn refill(self) -> f64 {
        match self {
            Self::Reads => 25.0,
            Self::Writes => 10.0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
        }
    }

    async fn call(self, worker: &Microsoft, caller: &Caller, at: Uuid) -> Result<(), MicrosoftError> {
        match self {
            Self::Reads => worker.arm().subscription(caller, at).await.map(drop),
            // What is assigned already is a conflict, and has cost a write like any other.
            Self::Writes => {
                let principal = Uuid::from_u128(at.as_u128() ^ 1);
                match worker.arm().assign_role(caller, at, Role::Reader, principal).await {
                    Err(error @ MicrosoftError::Throttled { .. }) => Err(error),
                    _ => Ok(()),
                }
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    for kind in [Kind::Reads, Kind::Writes] {
        for is_shared in [true, false] {
            measure(kind, is_shared).await?;
        }
    }
    Ok(())
}

async fn measure(kind: Kind, is_shared: bool) -> Result<()> {
    let config = Config { throttle: true, latency: LATENCY, ..Config::default() };
    let simulator = Simulator::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let redis = RedisServer::start().await?;
    let caller = Caller::App { tenant: simulator.tenant_id() };
    let subscription = simulator.subscriptions()[0].id;
    let counted_from = Instant::now() + WARM_UP;
    let end = counted_from + COUNTED;
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let settings = automation(&simulator, &Url::parse("http://127.0.0.1/")?)?;
        let clock = Clock::system().as_fn();
        let worker = if is_shared {
            let budgets = RedisBudgets::connect(&redis.url()).await?;
            Microsoft::sharing(settings, clock, Arc::new(budgets))?
        } else {
            Microsoft::new(settings, clock)?
        };
        for _ in 0..TASKS {
            tasks.push(tokio::spawn(call_until(end, kind, worker.clone(), caller.clone(), subscription)));
        }
    }
    tokio::time::sleep_until(counted_from.into()).await;
    let burst = count(&simulator, kind, subscription);
    simulator.clear_calls();
    tokio::time::sleep_until(end.into()).await;
    let steady = count(&simulator, kind, subscription);
    join_all(tasks).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    print(kind, is_shared, burst, steady);
    Ok(())
}

/// As a job does: whoever is told to wait for long comes back later.
async fn call_until(end: Instant, kind: Kind, worker: Microsoft, caller: Caller, subscription: Uuid) {
    while Instant::now() < end {
        if let Err(error) = kind.call(&worker, &caller, subscription).await {
            tokio::time::sleep(error.retry_after().unwrap_or_default()).await;
        }
    }
}

/// The calls of this kind: answered, and refused.
fn count(simulator: &Simulator, kind: Kind, subscription: Uuid) -> (u64, u64) {
    let (method, path) = match kind {
        Kind::Reads => ("GET", format!("/subscriptions/{subscription}")),
        Kind::Writes => ("PUT", format!("/subscriptions/{subscription}/")),
    };
    simulator.calls().iter().filter(|call| call.method == method && call.path.starts_with(&path)).fold(
        (0, 0),
        |(answered, refused), call| match call.status {
            429 => (answered, refused + 1),
            _ => (answered + 1, refused),
        },
    )
}

fn print(kind: Kind, is_shared: bool, burst: (u64, u64), steady: (u64, u64)) {
    let how = if is_shared { "budgets shared in Redis" } else { "budgets of their own" };
    let kind_name = kind.name();
    Figure {
        what: &format!("{kind_name} of two workers at one subscription, {how}"),
        unit: "calls/s",
        ours: rate(steady.0, COUNTED),
        theirs: kind.refill(),
        whose: "published refill",
    }
    .print();
    for (when, (answered, refused)) in [("burst", burst), ("steady", steady)] {
        Figure {
            what: &format!("refused {kind_name}, {when}, {how} ({refused} of {})", answered + refused),
            unit: "%",
            ours: 100.0 * of(refused) / of((answered + refused).max(1)),
            theirs: LIMIT_OF_REFUSALS,
            whose: "limit",
        }
        .print();
    }
}
