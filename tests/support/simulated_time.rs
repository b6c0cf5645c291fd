//! Simulated time for a whole benchmark: it runs itself again below `faketime`, where every clock goes faster.
//!
//! What waits takes less time then; what calculates does not. So the share of the processors that was used belongs
//! beside every figure.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tokio::task::spawn_blocking;

/// How many times faster than the machine's the clocks go here.
const FACTOR: &str = "TENANTRY_BENCH_FACTOR";

/// How many times faster time passes here; none: this is not below `faketime`.
pub fn factor() -> Option<u32> {
    std::env::var(FACTOR).ok()?.parse().ok()
}

/// Runs this program again in a time that is `factor` times as fast, with these variables, to its end. All its
/// children share its clock.
pub async fn run_again(factor: u32, variables: &[(&str, String)]) -> Result<()> {
    let mut again = Command::new("faketime");
    again.args(["-f", &format!("+0 x{factor}")]).arg(std::env::current_exe()?);
    again.env(FACTOR, factor.to_string()).envs(variables.iter().map(|(name, value)| (name, value)));
    let status = spawn_blocking(move || again.status()).await?;
    match status {
        Ok(status) => ensure!(status.success(), "the benchmark ended with {status}"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no faketime: install it, on Debian by `apt-get install faketime`")
        }
        Err(error) => return Err(error).context("starting faketime"),
    }
    Ok(())
}

/// What the processors did until a moment, whoever used them.
#[derive(Clone, Copy)]
pub struct Processors {
    used: u64,
    idle: u64,
}

impl Processors {
    /// Until now.
    pub fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().context("/proc/stat is empty")?;
        let ticks = line.split_whitespace().skip(1).map(str::parse);
        let ticks: Vec<u64> = ticks.collect::<Result<_, _>>()?;
        // user nice system idle iowait irq softirq steal; what guests use is in user.
        let [user, nice, system, idle, waiting, interrupts, soft, stolen, ..] = ticks[..] else {
            bail!("/proc/stat names too few times");
        };
        Ok(Self { used: user + nice + system + interrupts + soft + stolen, idle: idle + waiting })
    }

    /// Which share of them was used since, in percent.
    pub fn used_since(&self, before: &Self) -> f64 {
        let (used, idle) = (self.used - before.used, self.idle - before.idle);
        100.0 * crate::figures::of(used) / crate::figures::of((used + idle).max(1))
    }
}
