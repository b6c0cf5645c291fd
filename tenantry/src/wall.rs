//! Row-level security as it is configured: raised and lowered where the tables are migrated, held against the
//! configuration everywhere else.

use anyhow::{Context as _, ensure};
use migration::wall::{self, MARKS, Standing};
use sea_orm::DatabaseConnection;

use crate::cli::Switch;

/// Migrates the database, and has the wall as it is `wanted`; none: as it stands.
pub async fn migrate(database: &DatabaseConnection, wanted: Option<Switch>) -> anyhow::Result<()> {
    migration::migrate(database).await.context("migrating the database")?;
    let Some(standing) = wall::standing(database).await? else {
        ensure!(
            wanted != Some(Switch::On),
            "TENANTRY_ROW_LEVEL_SECURITY is on, and SQLite has no row-level security: use PostgreSQL"
        );
        return Ok(());
    };
    match wanted {
        Some(Switch::On) if !standing.is_raised => wall::raise(database).await,
        Some(Switch::Off) => wall::lower(database).await,
        Some(Switch::On) | None => Ok(()),
    }
    .context("changing row-level security; this needs the tables' owner")?;
    check(database, wanted).await
}

/// Fails if the wall does not stand as it is `wanted`, and warns if it stands for nothing or costs much.
pub async fn check(database: &DatabaseConnection, wanted: Option<Switch>) -> anyhow::Result<()> {
    let Some(standing) = wall::standing(database).await? else { return Ok(()) };
    if let Some(wanted) = wanted {
        ensure!(
            standing.is_raised == (wanted == Switch::On),
            "TENANTRY_ROW_LEVEL_SECURITY is {}, and the database's tables are otherwise: run `tenantry migrate` \
             with the same setting first",
            if wanted == Switch::On { "on" } else { "off" }
        );
    }
    warn(standing);
    Ok(())
}

fn warn(standing: Standing) {
    if standing.is_raised && standing.is_exempt {
        tracing::warn!(
            "row-level security is on and holds nobody: DATABASE_URL names a superuser, or a role with \
             BYPASSRLS; connect as a role that only owns the tables"
        );
    }
    if standing.is_raised && !standing.is_marked {
        tracing::warn!(
            "row-level security is on and makes tag filters and later pages slow: as a superuser, run in this \
             database: {}",
            MARKS.join("; ")
        );
    }
}
