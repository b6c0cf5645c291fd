//! Waits for a state, with a bound: instead of sleeping and hoping.

use std::time::Duration;

/// The longest a state may take to come about, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until `look` answers something; fails the test after a minute.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let looking = async {
        loop {
            ticks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    let Ok(seen) = tokio::time::timeout(PATIENCE, looking).await else { panic!("waited in vain: {what}") };
    seen
}
