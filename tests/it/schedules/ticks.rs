//! Ticks of the machine's clock, in a runtime whose own time is stopped.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::Notify;

/// Between two ticks.
const EVERY: Duration = Duration::from_millis(1);

/// Ticks of the machine's clock. As long as they are there, the runtime moves no timer by itself: it would take every
/// wait for the database for the end of all work.
pub struct Ticks {
    bell: Arc<Notify>,
    _end: Sender<()>,
}

impl Ticks {
    pub fn start() -> Self {
        let (end, ended) = mpsc::channel();
        let bell = Arc::new(Notify::new());
        let rung = Arc::clone(&bell);
        tokio::task::spawn_blocking(move || {
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                rung.notify_one();
            }
        });
        Self { bell, _end: end }
    }

    /// The next one.
    pub async fn next(&self) {
        self.bell.notified().await;
    }
}

/// Whether nobody in this process does anything, but for whoever asks: what is waited for then is time alone, since the
/// cloud and the embedded database are threads of this process too.
pub fn everybody_sleeps() -> bool {
    let Ok(own) = std::fs::read_link("/proc/thread-self") else { return false };
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return false };
    threads.flatten().filter(|thread| Some(thread.file_name().as_os_str()) != own.file_name()).all(|thread| {
        let state = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = state.rsplit_once(") ").map(|(_, state)| state.starts_with('S'));
        state.unwrap_or(true)
    })
}
