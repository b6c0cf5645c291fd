//! The two deployments that every test runs on: embedded (SQLite, memory) and distributed (PostgreSQL,
//! Redis). `TENANTRY_TEST_STACK` chooses; `tests/run` runs both.

use std::sync::Arc;

use anyhow::Result;
use microsoft::Microsoft;
use secrecy::SecretString;
use worker::budgets::RedisBudgets;
use worker::progress::Progress;
use worker::queue::Queue;

use crate::redis::RedisServer;

/// Which deployment a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// A SQLite file, and everything else in memory.
    Embedded,
    /// PostgreSQL and Redis.
    Distributed,
}

impl Stack {
    /// The deployment that `TENANTRY_TEST_STACK` names; embedded if it names none.
    pub fn chosen() -> Self {
        match std::env::var("TENANTRY_TEST_STACK").as_deref() {
            Ok("distributed") => Self::Distributed,
            Ok("embedded") | Err(_) => Self::Embedded,
            Ok(other) => panic!("TENANTRY_TEST_STACK is {other}: say embedded or distributed"),
        }
    }
}

/// A queue and a progress bus of a test's own.
pub struct Bell {
    /// The Redis behind them, on the distributed stack.
    pub redis: Option<RedisServer>,
    /// Where jobs are pushed.
    pub queue: Queue,
    /// Where progress is told.
    pub progress: Progress,
}

impl Bell {
    /// Starts what `stack` needs.
    pub async fn start(stack: Stack) -> Result<Self> {
        if stack == Stack::Embedded {
            return Ok(Self { redis: None, queue: Queue::memory(), progress: Progress::memory() });
        }
        let redis = RedisServer::start().await?;
        let url: SecretString = redis.url();
        let (queue, progress) = (Queue::redis(&url).await?, Progress::redis(&url).await?);
        Ok(Self { redis: Some(redis), queue, progress })
    }

    /// A client with budgets where the stack keeps them.
    pub async fn microsoft(
        &self,
        settings: microsoft::Settings,
        clock: microsoft::Clock,
    ) -> Result<Microsoft> {
        let Some(redis) = &self.redis else { return Ok(Microsoft::new(settings, clock)?) };
        let budgets = RedisBudgets::connect(&redis.url()).await?;
        Ok(Microsoft::sharing(settings, clock, Arc::new(budgets))?)
    }
}
