//! Office 365: what is read of a tenant through Microsoft Graph.

pub mod active_users;
pub mod assigned_licence;
pub mod connection;
pub mod feed;
pub mod group;
pub mod membership;
pub mod purchased_licence;
pub mod report;
pub mod report_row;
pub mod user;

pub use feed::Kind;

use std::collections::BTreeMap;

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// Figures by name: what a report adds up to, or what it says of one row beside its columns. A report gains columns over
/// the years, and an old snapshot has only those of its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Figures(pub BTreeMap<String, i64>);

impl Figures {
    /// The figure of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<i64> {
        self.0.get(name).copied()
    }

    /// Adds to the figure of this name.
    pub fn add(&mut self, name: &str, more: i64) {
        let figure = self.0.entry(name.to_owned()).or_default();
        *figure = figure.saturating_add(more);
    }
}

/// A name as it is compared: principal names and site addresses do not depend on case.
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}
