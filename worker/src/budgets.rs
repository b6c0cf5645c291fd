//! Microsoft's call budgets, shared by all processes through Redis: one key a lane, one script.
//!
//! Redis keeps what it is given and tells its time; what a budget is, is known to the crate `microsoft` alone. A
//! lane's key is gone ten minutes after its last call, when every budget is full again. Losing everything costs a
//! refusal or two.

use std::sync::LazyLock;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use microsoft::{Away, Seen, SharedBudgets};
use redis::aio::ConnectionManager;
use redis::{Script, ScriptInvocation};
use secrecy::SecretString;

use crate::redis::{AddressError, connect};

/// How long an unused lane is kept.
const KEPT_FOR: Duration = Duration::from_mins(10);

static REPLACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("budgets/replace.lua")));

/// Why there are no shared budgets.
#[derive(Debug, thiserror::Error)]
pub enum BudgetsError {
    /// The address of Redis is not one. It may hold a password, so it is not repeated.
    #[error("the address of Redis is malformed")]
    Address,
    /// Redis is away, or refuses.
    #[error("Redis does not answer")]
    Unavailable(#[source] redis::RedisError),
}

/// Budgets in Redis.
#[derive(Clone)]
pub struct RedisBudgets {
    connection: ConnectionManager,
}

impl RedisBudgets {
    /// Connects. Fails if nobody answers there; from then on it survives that.
    pub async fn connect(url: &SecretString) -> Result<Self, BudgetsError> {
        let connection = connect(url, |_| {}).await.map_err(|error| match error {
            AddressError::Malformed => BudgetsError::Address,
            AddressError::Unreachable(error) => BudgetsError::Unavailable(error),
        })?;
        Ok(Self { connection })
    }

    /// Answers whether the state was replaced, and what it was.
    async fn call(&self, call: &ScriptInvocation<'_>) -> Result<(bool, Seen), Away> {
        let (is_replaced, seconds, micros, state): (bool, u64, u64, Vec<u8>) =
            call.invoke_async(&mut self.connection.clone()).await?;
        let now = Duration::from_secs(seconds) + Duration::from_micros(micros);
        Ok((is_replaced, Seen { state: (!state.is_empty()).then_some(state), now }))
    }
}

impl SharedBudgets for RedisBudgets {
    fn look<'a>(&'a self, lane: &'a str) -> BoxFuture<'a, Result<Seen, Away>> {
        async move { Ok(self.call(REPLACE.prepare_invoke().key(key(lane))).await?.1) }.boxed()
    }

    fn replace<'a>(
        &'a self,
        lane: &'a str,
        seen: Option<&'a [u8]>,
        state: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Seen>, Away>> {
        async move {
            let mut call = REPLACE.prepare_invoke();
            call.key(key(lane))
                .arg(state)
                .arg(KEPT_FOR.as_millis().to_string())
                .arg(seen.unwrap_or_default());
            let (is_replaced, held) = self.call(&call).await?;
            Ok((!is_replaced).then_some(held))
        }
        .boxed()
    }
}

fn key(lane: &str) -> String {
    format!("tenantry:budget:{lane}")
}
