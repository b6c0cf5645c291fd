//! The log: for people on a terminal, JSON lines otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Begins to log to the standard error stream. `quiet` keeps it to warnings unless a filter is given, so
/// that it does not get between the lines of a demonstration.
pub fn start(filter: Option<&str>, quiet: bool) {
    let fallback = if quiet { "error" } else { "info" };
    let filter = EnvFilter::try_new(filter.unwrap_or(fallback)).unwrap_or_else(|_| EnvFilter::new(fallback));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { log.init() } else { log.json().init() }
}
