//! How many calls an operation is expected to make, and how long it is expected to take.

use async_graphql::SimpleObject;
use entity::estimate;

use super::int;
use super::scalars::DateTime;

/// Calls to Microsoft, by kind.
#[derive(SimpleObject)]
#[graphql(name = "CallCounts")]
pub struct CallCounts {
    /// Reads as the consenting user, without the further pages of long lists, which cannot be foreseen.
    user_reads: i32,
    /// Writes as the consenting user.
    user_writes: i32,
    /// Deletes as the consenting user.
    user_deletes: i32,
    /// Reads as the service principal.
    app_reads: i32,
    /// Resource Graph queries as the service principal.
    resource_graph_queries: i32,
    /// Tokens that the service principal asks for.
    token_requests: i32,
}

impl From<estimate::Calls> for CallCounts {
    fn from(calls: estimate::Calls) -> Self {
        Self {
            user_reads: count(calls.user_reads),
            user_writes: count(calls.user_writes),
            user_deletes: count(calls.user_deletes),
            app_reads: count(calls.app_reads),
            resource_graph_queries: count(calls.queries),
            token_requests: count(calls.token_requests),
        }
    }
}

/// What an operation is expected to take, at Azure's published limits and by the time that calls took lately.
#[derive(SimpleObject)]
#[graphql(name = "Estimate")]
pub struct Estimate {
    /// From its begin to its end, in seconds.
    duration_seconds: i32,
    /// For how long it needs the consent window, in seconds.
    window_seconds: i32,
    /// When it ends, if it begins when this is told.
    expected_end_at: DateTime,
    /// Whether the consent window is long enough: what is left of the one that is open, else a whole one of one
    /// hour. What does not fit is not lost: the next consent goes on with it.
    fits_window: bool,
    /// The calls that it makes.
    calls: CallCounts,
    /// Whether the number of resources of some subscription had to be assumed: it was never scanned, and Azure did
    /// not tell.
    resources_are_assumed: bool,
    /// Whether the time that a new role takes to work was measured with the organization's own subscriptions; else
    /// it is the longest that Azure names, which is ten minutes.
    propagation_is_measured: bool,
}

impl From<&entity::Estimate> for Estimate {
    fn from(told: &entity::Estimate) -> Self {
        Self {
            duration_seconds: count(told.total_ms.div_ceil(1_000)),
            window_seconds: count(told.window_ms.div_ceil(1_000)),
            expected_end_at: told.ends_at().into(),
            fits_window: told.fits_window,
            calls: told.calls.into(),
            resources_are_assumed: told.resources_are_assumed,
            propagation_is_measured: told.propagation_is_measured,
        }
    }
}

/// A count as GraphQL's `Int`.
pub fn count(number: u64) -> i32 {
    int(i64::try_from(number).unwrap_or(i64::MAX))
}
