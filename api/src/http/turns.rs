//! Turns: answers are computed a few at a time, first come, first served.
//!
//! Sixteen answers that share two processors all end late, and some much later than the others; a few at a time, none
//! waits for one that came after it. What takes longer than a turn waits most likely for the database rather than for a
//! processor, and makes room for the next: slow questions hold up quick ones for no longer than their turns.

use std::pin::pin;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// For each processor: while one waits for the database, the other computes.
const PER_PROCESSOR: usize = 2;

const TURN: Duration = Duration::from_millis(10);

/// The turns of a server.
pub(super) struct Turns(Semaphore);

impl Turns {
    pub(super) fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self::at_a_time(PER_PROCESSOR * processors)
    }

    fn at_a_time(count: usize) -> Self {
        Self(Semaphore::new(count))
    }

    /// Does `work` when it is its turn.
    pub(super) async fn take<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        // Who waits is served in order. Nobody closes it.
        let turn = self.0.acquire().await;
        if let Ok(done) = timeout(TURN, &mut work).await {
            return done;
        }
        drop(turn);
        work.await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::future::join_all;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// When each of so many answers ended that take so long and came at the same time, in milliseconds.
    async fn ends(turns: &Turns, answers: usize, length: u64) -> Vec<u128> {
        let begun = Instant::now();
        let answer = || async move {
            sleep(Duration::from_millis(length)).await;
            begun.elapsed().as_millis()
        };
        join_all((0..answers).map(|_| turns.take(answer()))).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_is_served_first() {
        assert_eq!(ends(&Turns::at_a_time(2), 6, 5).await, [5, 5, 10, 10, 15, 15]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_finished_beside_the_others() {
        assert_eq!(ends(&Turns::at_a_time(1), 3, 100).await, [100, 110, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_answer_waits_for_the_turns_of_slow_ones_and_not_for_their_ends() {
        let turns = Turns::at_a_time(4);
        let slow = join_all((0..40).map(|_| turns.take(pending::<()>())));
        let quick = async {
            // After all of them.
            tokio::task::yield_now().await;
            ends(&turns, 1, 1).await
        };
        tokio::select! {
            biased;
            _ = slow => panic!("it ended"),
            ended = quick => assert_eq!(ended, [101]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_gives_back_the_turn() {
        let turns = Turns::at_a_time(1);
        let hung_up = timeout(Duration::from_millis(5), turns.take(pending::<()>())).await;
        assert!(hung_up.is_err());
        assert_eq!(ends(&turns, 1, 1).await, [1]);
    }
}
