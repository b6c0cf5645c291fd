//! A tag write: what a change set does to one tag of one resource.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use entity::tag_write::{self, Column};
use entity::tags::rules;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, Select};
use uuid::Uuid;

use super::ChangeSet;
use crate::graphql::batch::Batch;
use crate::graphql::failure::Failure;
use crate::graphql::ids::Kind;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::resource::Resource;
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::Scope;
use crate::graphql::stored::{Identified, Row, Stored};
use crate::permission::Permission;

/// What became of a write.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "TagWriteOutcome", remote = "entity::tag_write::Outcome")]
pub enum TagWriteOutcome {
    /// Azure has it; Tenantry wrote it and read it back.
    Applied,
    /// Azure had it already.
    Unchanged,
    /// It lives here only, and is stored.
    Stored,
    /// Somebody else changed the tag to another value; a member has to decide.
    Conflict,
    /// Somebody else changed the tag to another value, and that stays.
    LeftAlone,
    /// An Azure policy forbids it.
    DeniedByPolicy,
    /// It was written, and an Azure policy made something else of it.
    RewrittenByPolicy,
    /// A lock forbids it.
    Locked,
    /// Azure takes no such tag there.
    Unsupported,
    /// The service principal lacks the role, or could not hold it until this was written: `failure` says why.
    MissingRole,
    /// Azure limited the rate of calls until the operation's deadline had passed.
    Throttled,
    /// The resource does not exist any more.
    Gone,
    /// It was known before that it would fail, so it was not sent.
    NotSent,
    /// The change set was cancelled first.
    Cancelled,
    /// Something else went wrong.
    Failed,
}

/// How a conflict was decided.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ConflictResolution", remote = "entity::tag_write::Resolution")]
pub enum ConflictResolution {
    /// What is wanted here is written.
    KeepOurs,
    /// What Azure has stays.
    TakeAzure,
    /// A later write of the same tag has made it pointless.
    Superseded,
}

/// Why a write would fail.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "TagProblemCode", remote = "entity::tags::rules::ProblemCode")]
pub enum TagProblemCode {
    /// The name is empty, or only spaces.
    NameEmpty,
    /// The name is too long.
    NameTooLong,
    /// The name has a character that Azure forbids.
    NameCharacters,
    /// The name begins with a word that Azure keeps for itself.
    NameReserved,
    /// The type takes no names with spaces, or that begin with a digit.
    NameNotForDns,
    /// The type takes no names with `#` or `:`.
    NameNotForFrontDoor,
    /// The value is too long.
    ValueTooLong,
    /// The value has a control character.
    ValueCharacters,
    /// The resource would have more tags than Azure allows.
    TooManyTags,
    /// Resources of this type take no tags.
    TypeNotTaggable,
    /// The subscription's access level lets no tags be written.
    AccessLevelTooLow,
    /// The tenant is disconnected, or being disconnected.
    NotConnected,
    /// The resource was deleted.
    ResourceDeleted,
    /// The new name is there already, with another value.
    NameTaken,
}

/// Why a write would fail, and what to do.
#[derive(SimpleObject)]
#[graphql(name = "TagProblem")]
pub struct TagProblem {
    /// What it is.
    code: TagProblemCode,
    /// A sentence that says what to do.
    message: String,
}

impl From<&rules::Problem> for TagProblem {
    fn from(problem: &rules::Problem) -> Self {
        Self { code: problem.code.into(), message: problem.message.clone() }
    }
}

/// Which writes. What is given has to hold all at once; of a list, any one. An empty list lets nothing through.
#[derive(InputObject, Default)]
#[graphql(name = "TagWriteFilter")]
pub struct TagWriteFilter {
    /// With one of these outcomes.
    outcomes: Option<Vec<TagWriteOutcome>>,
    /// Those that would fail, or those that would not.
    has_problems: Option<bool>,
    /// Of one of these resources.
    resources: Option<Vec<ID>>,
}

/// A tag write.
pub struct TagWrite {
    row: tag_write::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    resources: Batch<Resource>,
    change_sets: Batch<ChangeSet>,
}

impl Stored for TagWrite {
    type Entity = tag_write::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: Column = Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings {
            resources: Batch::of(rows.iter().map(|row| row.resource_id)),
            change_sets: Batch::of(rows.iter().map(|row| row.change_set_id)),
        });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for TagWrite {
    const KIND: Kind = Kind::TagWrite;
}

/// What a change set does to one tag of one resource. A value of null is a tag that is not there. Needs the role
/// `VIEWER`, or the scope `inventory:read`.
#[Object(name = "TagWrite")]
impl TagWrite {
    /// Its id.
    pub(in crate::graphql) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// The resource.
    async fn resource(&self, ctx: &Context<'_>) -> Result<&Resource> {
        self.siblings.resources.one(Scope::of(ctx, Permission::ReadInventory)?, self.row.resource_id).await
    }

    /// The change set.
    async fn change_set(&self, ctx: &Context<'_>) -> Result<&ChangeSet> {
        self.siblings
            .change_sets
            .one(Scope::of(ctx, Permission::ReadInventory)?, self.row.change_set_id)
            .await
    }

    /// The tag's name, as it is to be written.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// The value when the write was planned.
    async fn before(&self) -> Option<&str> {
        self.row.before.as_deref()
    }

    /// The name when the write was planned, in its case.
    async fn name_before(&self) -> Option<&str> {
        self.row.before_name.as_deref()
    }

    /// The value that is wanted.
    async fn after(&self) -> Option<&str> {
        self.row.after.as_deref()
    }

    /// Everything that stands against it; such a write is not sent.
    async fn problems(&self) -> Vec<TagProblem> {
        self.row.problems.iter().flat_map(|problems| &problems.0).map(TagProblem::from).collect()
    }

    /// What became of it; null: nothing yet.
    async fn outcome(&self) -> Option<TagWriteOutcome> {
        self.row.outcome.map(Into::into)
    }

    /// The value that Azure had when it was last read for this write.
    async fn found(&self) -> Option<&str> {
        self.row.found.as_deref()
    }

    /// What went wrong: who denies it, what is locked, what to do.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.row.failure.as_ref())
    }

    /// When it was sent; null if it never was.
    async fn sent_at(&self) -> Option<DateTime> {
        self.row.sent_at.map(Into::into)
    }

    /// When it came to its outcome.
    async fn ended_at(&self) -> Option<DateTime> {
        self.row.ended_at.map(Into::into)
    }

    /// How the conflict was decided; null if it is none, or still open.
    async fn resolution(&self) -> Option<ConflictResolution> {
        self.row.resolution.map(Into::into)
    }

    /// When the conflict was decided.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.row.resolved_at.map(Into::into)
    }
}

/// A page of the writes of a change set.
pub async fn of_change_set(
    ctx: &Context<'_>,
    change_set_id: Uuid,
    filter: TagWriteFilter,
    paging: &Paging,
) -> Result<Connection<TagWrite>> {
    let scope = Scope::of(ctx, Permission::ReadInventory)?;
    let writes = scope.owned::<tag_write::Entity>().filter(Column::ChangeSetId.eq(change_set_id));
    page(scope, filter.apply(writes)?, by_id(), paging).await
}

/// In the order in which they were planned.
pub fn by_id() -> Sort<tag_write::Model> {
    Sort {
        name: "id",
        expression: Expr::col(Column::Id.as_column_ref()),
        key: KeyOf::Id(|row| row.id),
        direction: OrderDirection::Asc,
    }
}

impl TagWriteFilter {
    fn apply(self, mut writes: Select<tag_write::Entity>) -> Result<Select<tag_write::Entity>> {
        if let Some(outcomes) = self.outcomes {
            check_length("outcomes", &outcomes)?;
            let outcomes = outcomes.into_iter().map(tag_write::Outcome::from);
            writes = writes.filter(Column::Outcome.is_in(outcomes));
        }
        if let Some(resources) = self.resources {
            check_length("resources", &resources)?;
            writes = writes.filter(Column::ResourceId.is_in(Kind::Resource.rows(&resources)?));
        }
        Ok(match self.has_problems {
            Some(true) => writes.filter(Column::Problems.is_not_null()),
            Some(false) => writes.filter(Column::Problems.is_null()),
            None => writes,
        })
    }
}
