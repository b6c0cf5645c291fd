//! The executable as a person on a terminal meets it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result};
use support::processes::{free_port, program};
use tempfile::TempDir;

/// The executable with nothing configured.
fn tenantry() -> Command {
    let mut command = Command::new(program());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

fn demo(folder: &TempDir, extra: &[&str]) -> Result<Command> {
    let mut command = tenantry();
    command
        .args(["demo", "--listen", &format!("127.0.0.1:{}", free_port()?), "--data-dir"])
        .arg(folder.path())
        .args(extra);
    Ok(command)
}

#[test]
fn every_problem_of_a_configuration_is_told_at_once_and_no_secret_is() -> Result<()> {
    let output = tenantry()
        .arg("api")
        .env("DATABASE_URL", "mysql://root:hunter2@localhost/x")
        .env("TENANTRY_ENCRYPTION_KEY", "hunter2")
        .env("TENANTRY_LISTEN", "somewhere")
        .env("MICROSOFT_CLIENT_ID", "me")
        .env("MICROSOFT_CLIENT_SECRET", "hunter2")
        .env("MICROSOFT_CLIENT_SECRET_FILE", "/nowhere")
        .env("MICROSOFT_ARM_URL", "ftp://x")
        .env("TENANTRY_CLIENT_SECRET_EXPIRES", "soon")
        .output()?;

    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    for name in [
        "DATABASE_URL",
        "REDIS_URL",
        "TENANTRY_LISTEN",
        "TENANTRY_PUBLIC_URL",
        "TENANTRY_ENCRYPTION_KEY",
        "MICROSOFT_CLIENT_ID",
        "MICROSOFT_CLIENT_SECRET_FILE",
        "MICROSOFT_ARM_URL",
        "TENANTRY_CLIENT_SECRET_EXPIRES",
    ] {
        assert!(told.contains(name), "{name} is missing in: {told}");
    }
    assert!(!told.contains("hunter2"), "{told}");
    Ok(())
}

#[test]
fn processes_that_stand_apart_refuse_sqlite() -> Result<()> {
    let output = tenantry().arg("worker").env("DATABASE_URL", "sqlite::memory:").output()?;

    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("which one process owns"));
    Ok(())
}

#[test]
fn a_wrong_command_line_and_help_have_their_own_exit_codes() -> Result<()> {
    assert_eq!(tenantry().arg("serv").output()?.status.code(), Some(2));
    let help: Output = tenantry().args(["demo", "--help"]).output()?;
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("--exit-when-done"));
    Ok(())
}

#[test]
fn the_demo_onboards_and_a_second_start_keeps_its_data() -> Result<()> {
    let folder = TempDir::new()?;
    let run = || {
        demo(&folder, &["--exit-when-done", "--subscriptions", "12", "--resources", "240"])?
            .output()
            .map_err(anyhow::Error::from)
    };

    let (first, second) = (run()?, run()?);

    for output in [&first, &second] {
        let told = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{told}{}", text(&output.stderr));
        for outcome in ["GRANTED", "NOT_PERMITTED", "SUBSCRIPTION_DISABLED", "INHERITED", "ended PARTIAL"] {
            assert!(told.contains(outcome), "{outcome} is missing in: {told}");
        }
    }
    let database = std::fs::read(folder.path().join("tenantry.db"))?;
    // Every access token begins so; the database holds none in clear.
    assert!(!database.windows(7).any(|bytes| bytes == b"eyJ0eXA" || bytes == b"eyJhbGc"));
    Ok(())
}

#[test]
fn the_demo_serves_until_it_is_interrupted_and_then_ends_well() -> Result<()> {
    let folder = TempDir::new()?;
    let mut demo =
        demo(&folder, &["--subscriptions", "2", "--resources", "10"])?.stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(demo.stdout.take().context("no output")?).lines();

    let mut told = String::new();
    for line in lines {
        let line = line?;
        if line.contains("Ctrl-C stops it") {
            Command::new("kill").args(["-INT", &demo.id().to_string()]).status()?;
        }
        told += &line;
    }

    assert_eq!(demo.wait()?.code(), Some(0), "{told}");
    assert!(told.contains("Authorization: Bearer "), "{told}");
    Ok(())
}
