//! A simulated cloud in a process of its own: `tenantry simulate`, so that a benchmark does not pay for it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use crate::figures::peak_memory;
use crate::processes::program;

/// A simulated cloud; gone when dropped.
pub struct Cloud {
    process: Child,
    /// The address of all three hosts.
    pub base_url: Url,
    /// The customer's tenant.
    pub tenant: Uuid,
    /// An app that may do anything there.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

impl Cloud {
    /// Starts one on a free port, with these arguments besides.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program());
        command.args(["simulate", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let mut process = command.spawn().context("tenantry simulate does not start")?;
        let said = BufReader::new(process.stdout.take().context("tenantry simulate says nothing")?);
        let mut facts = HashMap::new();
        for line in said.lines() {
            let line = line?;
            let fact =
                line.split_once('=').or_else(|| line.split_once("  ")).or_else(|| line.rsplit_once(' '));
            if let Some((name, value)) = fact {
                facts.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            if facts.contains_key("automation's secret") {
                break;
            }
        }
        let mut fact =
            |name: &str| facts.remove(name).with_context(|| format!("the simulator names no {name}"));
        Ok(Self {
            base_url: Url::parse(&fact("MICROSOFT_ARM_URL")?)?,
            tenant: fact("tenant")?.parse()?,
            client_id: fact("automation")?,
            client_secret: fact("automation's secret")?.into(),
            process,
        })
    }

    /// The most memory that it had so far, in megabytes.
    pub fn peak_memory(&self) -> Result<f64> {
        peak_memory(self.process.id())
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = (self.process.kill(), self.process.wait());
    }
}
