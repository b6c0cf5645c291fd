//! A change set: a planned, reviewable, revertible group of tag writes.

mod apply_change_set;
mod assign_tags;
mod cancel_change_set;
mod change_sets;
mod counts;
mod elevation;
mod plan;
mod plan_change_set;
mod remove_tags;
mod rename_tag;
mod resolve_conflicts;
mod revert_change_set;
mod selection;
mod tag_write;
mod wish;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use entity::change_set;
use uuid::Uuid;

pub use apply_change_set::ApplyChangeSet;
pub use assign_tags::AssignTags;
pub use cancel_change_set::CancelChangeSet;
pub use change_sets::ChangeSets;
pub use plan_change_set::PlanChangeSet;
pub use remove_tags::RemoveTags;
pub use rename_tag::RenameTag;
pub use resolve_conflicts::ResolveConflicts;
pub use revert_change_set::RevertChangeSet;
pub use tag_write::{TagWrite, TagWriteOutcome};

use super::batch::Batch;
use super::ids::Kind;
use super::int;
use super::member::Member;
use super::operation::Operation;
use super::pager::{Connection, Paging};
use super::scalars::DateTime;
use super::scope::{Scope, or_null};
use super::stored::{Identified, Row, Stored, object};
use super::user_error::UserError;
use crate::permission::Permission;
use counts::{Loads, OutcomeCount};
use tag_write::TagWriteFilter;

/// What a change set is for.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ChangeSetPurpose", remote = "entity::change_set::Purpose")]
pub enum ChangeSetPurpose {
    /// What a member asked for.
    Change,
    /// Undoes another change set.
    Revert,
    /// Carries out what was decided about conflicts.
    Resolve,
    /// Removes from Azure what lives here only from now on.
    SyncOff,
    /// Writes to Azure what lived here only until now.
    SyncOn,
}

/// Where a change set stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ChangeSetState", remote = "entity::change_set::State")]
pub enum ChangeSetState {
    /// It can be reviewed; nothing is written.
    Planned,
    /// It is being written.
    Applying,
    /// Everything in it was written, or was there already.
    Applied,
    /// Some of it was written; each write says what became of it.
    Partial,
    /// Nothing of it was written.
    Failed,
    /// It was cancelled; what was written stays.
    Cancelled,
}

/// A change set.
pub struct ChangeSet {
    row: change_set::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    members: Batch<Member>,
    reverted: Batch<ChangeSet>,
    outcomes: Batch<Vec<OutcomeCount>>,
    loads: Batch<Loads>,
    operations: Batch<Vec<Operation>>,
}

impl Stored for ChangeSet {
    type Entity = change_set::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: change_set::Column = change_set::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let ids = || rows.iter().map(|row| row.id);
        let siblings = Arc::new(Siblings {
            members: Batch::of(rows.iter().map(|row| row.member_id)),
            reverted: Batch::of(rows.iter().filter_map(|row| row.reverts_id)),
            outcomes: Batch::of(ids()),
            loads: Batch::of(ids()),
            operations: Batch::of(ids()),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for ChangeSet {
    const KIND: Kind = Kind::ChangeSet;
}

/// A planned, reviewable, revertible group of tag writes. Needs the role `VIEWER`, or the scope `inventory:read`.
#[Object(name = "ChangeSet")]
impl ChangeSet {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// What whoever planned it calls it.
    async fn title(&self) -> &str {
        &self.row.title
    }

    /// What it is for.
    async fn purpose(&self) -> ChangeSetPurpose {
        self.row.purpose.into()
    }

    /// Where it stands.
    async fn state(&self) -> ChangeSetState {
        self.row.state.into()
    }

    /// The member who planned it; null if you may not read members.
    async fn member(&self, ctx: &Context<'_>) -> Option<&Member> {
        let found = async {
            self.siblings.members.find(Scope::of(ctx, Permission::ReadMembers)?, self.row.member_id).await
        };
        or_null(ctx, found.await)
    }

    /// The change set that it reverts, if it does.
    async fn reverts(&self, ctx: &Context<'_>) -> Option<&ChangeSet> {
        let id = self.row.reverts_id?;
        let found =
            async { self.siblings.reverted.find(Scope::of(ctx, Permission::ReadInventory)?, id).await };
        or_null(ctx, Box::pin(found).await)
    }

    /// Whether subscriptions at `READ_TAGS` are written to by a role that is held for it alone.
    async fn elevates(&self) -> bool {
        self.row.elevates
    }

    /// How many writes it has.
    async fn write_count(&self) -> i32 {
        int(self.row.writes)
    }

    /// How many of them would fail: they are not sent.
    async fn problem_count(&self) -> i32 {
        int(self.row.problems)
    }

    /// What became of its writes, as far as something has, and of how many.
    async fn outcomes(&self, ctx: &Context<'_>) -> Result<&[OutcomeCount]> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let found = self.siblings.outcomes.get(self.row.id, |ids| counts::outcomes(scope, ids)).await?;
        Ok(found.map(Vec::as_slice).unwrap_or_default())
    }

    /// What it asks of Azure, and how long that takes at Azure's published limits.
    async fn estimate(&self, ctx: &Context<'_>) -> Result<ChangeSetEstimate> {
        let scope = Scope::of(ctx, Permission::ReadInventory)?;
        let loads = self.siblings.loads.get(self.row.id, |ids| counts::loads(scope, ids)).await?;
        Ok(loads.map(Loads::estimate).unwrap_or_default())
    }

    /// The operations that write it, one for each tenant; empty until it is applied.
    async fn operations(&self, ctx: &Context<'_>) -> Result<&[Operation]> {
        let scope = Scope::of(ctx, Permission::ReadOperations)?;
        let found = self.siblings.operations.get(self.row.id, |ids| counts::operations(scope, ids)).await?;
        Ok(found.map(Vec::as_slice).unwrap_or_default())
    }

    /// When it was planned, or last planned again.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When it was begun to be written; null until then.
    async fn applied_at(&self) -> Option<DateTime> {
        self.row.applied_at.map(Into::into)
    }

    /// When nothing more happened to it; null until then.
    async fn finished_at(&self) -> Option<DateTime> {
        self.row.finished_at.map(Into::into)
    }

    /// Its writes, in the order in which they were planned.
    async fn writes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all of them by default.")] filter: Option<TagWriteFilter>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<TagWrite>> {
        let paging = Paging { first, after, last, before };
        tag_write::of_change_set(ctx, self.row.id, filter.unwrap_or_default(), &paging).await
    }
}

/// What a change set asks of Azure. Only what is sent counts: neither what would fail nor what lives here only.
#[derive(SimpleObject, Clone, Copy, Default)]
#[graphql(name = "ChangeSetEstimate")]
pub struct ChangeSetEstimate {
    /// Requests that change tags.
    calls: i32,
    /// Seconds that these take at Azure's published limits: 200 at once and then 10 a second, for each subscription.
    duration_seconds: i32,
    /// Subscriptions at which the role is held only while tags are written.
    elevated_subscriptions: i32,
    /// Whether that fits into one consent window, with all that Azure may take to let a role work; null where no role is
    /// held for it.
    fits_window: Option<bool>,
}

/// A change set, or why there is none.
#[derive(SimpleObject)]
#[graphql(name = "ChangeSetPayload")]
pub struct ChangeSetPayload {
    /// The change set.
    change_set: Option<ChangeSet>,
    /// Why there is none, or why it was not applied.
    user_errors: Vec<UserError>,
    /// What came in the input.
    client_mutation_id: Option<String>,
}

/// A change set and what is to be said about it.
type Planned = (Option<change_set::Model>, Vec<UserError>);

impl ChangeSetPayload {
    fn of(ctx: &Context<'_>, planned: Result<Planned>, client_mutation_id: Option<String>) -> Option<Self> {
        or_null(
            ctx,
            planned.map(|(change_set, user_errors)| {
                Some(Self { change_set: change_set.and_then(object), user_errors, client_mutation_id })
            }),
        )
    }
}

/// Nothing but an error.
fn refused(error: UserError) -> Planned {
    (None, vec![error])
}
