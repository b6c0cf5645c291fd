//! What a benchmark prints: its figure, the figure beside which it is to be read, and how they compare.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// One line of a benchmark.
pub struct Figure<'a> {
    /// What was measured, and under which conditions.
    pub what: &'a str,
    /// What both numbers count.
    pub unit: &'a str,
    /// Our number.
    pub ours: f64,
    /// The number of a peer in the same run, or a limit.
    pub theirs: f64,
    /// Whose number that is.
    pub whose: &'a str,
}

impl Figure<'_> {
    /// Prints the line.
    pub fn print(&self) {
        let Self { what, unit, ours, theirs, whose } = self;
        let ratio = ours / theirs;
        println!(
            "{what} | {} {unit} | {whose}: {} {unit} | ratio {ratio:.2}",
            rounded(*ours),
            rounded(*theirs)
        );
    }
}

/// Three digits are all that a run on a shared machine is good for.
fn rounded(number: f64) -> String {
    match number.abs() {
        small if small < 10.0 => format!("{number:.2}"),
        medium if medium < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// How many there are in a second.
pub fn rate(count: u64, time: Duration) -> f64 {
    of(count) / time.as_secs_f64()
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
pub fn of(count: u64) -> f64 {
    count as f64
}

/// The time that a share of `times`, in percent, does not exceed, in milliseconds.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).copied().unwrap_or_default().as_secs_f64() * 1_000.0
}

/// The most memory that a process had at any time, in megabytes.
pub fn peak_memory(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(of(kilobytes) / 1_024.0)
}
