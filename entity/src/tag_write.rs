//! A tag write: what a change set does to one tag of one resource.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{QuerySelect, QueryTrait};

use crate::Failure;
use crate::tags::rules::Problems;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Outcome {
    /// Azure has it; Tenantry wrote it and read it back.
    #[sea_orm(string_value = "APPLIED")]
    Applied,
    /// Azure had it already.
    #[sea_orm(string_value = "UNCHANGED")]
    Unchanged,
    /// It lives here only, and is stored.
    #[sea_orm(string_value = "STORED")]
    Stored,
    /// Somebody else changed the tag to another value; a member has to decide.
    #[sea_orm(string_value = "CONFLICT")]
    Conflict,
    /// Somebody else changed the tag to another value, and that stays.
    #[sea_orm(string_value = "LEFT_ALONE")]
    LeftAlone,
    /// An Azure policy forbids it.
    #[sea_orm(string_value = "DENIED_BY_POLICY")]
    DeniedByPolicy,
    /// It was written, and an Azure policy made something else of it.
    #[sea_orm(string_value = "REWRITTEN_BY_POLICY")]
    RewrittenByPolicy,
    /// A lock forbids it.
    #[sea_orm(string_value = "LOCKED")]
    Locked,
    /// Azure takes no such tag there.
    #[sea_orm(string_value = "UNSUPPORTED")]
    Unsupported,
    /// The service principal lacks the role, or could not hold it until this was written.
    #[sea_orm(string_value = "MISSING_ROLE")]
    MissingRole,
    /// Azure limited the rate of calls until the operation's deadline had passed.
    #[sea_orm(string_value = "THROTTLED")]
    Throttled,
    /// The resource does not exist any more.
    #[sea_orm(string_value = "GONE")]
    Gone,
    /// It was known before that it would fail, so it was not sent.
    #[sea_orm(string_value = "NOT_SENT")]
    NotSent,
    /// The change set was cancelled first.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
    /// Something else went wrong.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

impl Outcome {
    /// Those after which the tag is as it was wanted.
    pub const DONE: [Self; 3] = [Self::Applied, Self::Unchanged, Self::Stored];

    /// Those after which the write is tried again when the operation is.
    pub const RETRIED: [Self; 8] = [
        Self::DeniedByPolicy,
        Self::Locked,
        Self::Unsupported,
        Self::MissingRole,
        Self::Throttled,
        Self::Gone,
        Self::Cancelled,
        Self::Failed,
    ];
}

/// Who decided a conflict, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Resolution {
    /// What is wanted here is written.
    #[sea_orm(string_value = "KEEP_OURS")]
    KeepOurs,
    /// What Azure has stays.
    #[sea_orm(string_value = "TAKE_AZURE")]
    TakeAzure,
    /// A later write of the same tag has made it pointless.
    #[sea_orm(string_value = "SUPERSEDED")]
    Superseded,
}

/// One write. A value of none is a tag that is not there.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tag_write")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The change set it is part of.
    pub change_set_id: Uuid,
    /// The subscription of the resource.
    pub subscription_id: Uuid,
    /// The resource.
    pub resource_id: Uuid,
    /// The tag's name, as it is to be written.
    pub name: String,
    /// The tag's name, folded.
    pub folded: String,
    /// The value when the write was planned.
    pub before: Option<String>,
    /// The name when the write was planned, in its case.
    pub before_name: Option<String>,
    /// The value that is wanted.
    pub after: Option<String>,
    /// Why it would fail; it is not sent then. None: nothing stands against it.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub problems: Option<Problems>,
    /// The write that has to have been done first: of a renaming, that of the new name.
    pub after_id: Option<Uuid>,
    /// What became of it; none: nothing yet.
    pub outcome: Option<Outcome>,
    /// The value that Azure had when it was last read.
    pub found: Option<String>,
    /// What went wrong.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub failure: Option<Failure>,
    /// When it was sent: written down before it was.
    pub sent_at: Option<DateTimeUtc>,
    /// When it came to its outcome.
    pub ended_at: Option<DateTimeUtc>,
    /// How the conflict was decided.
    pub resolution: Option<Resolution>,
    /// When the conflict was decided.
    pub resolved_at: Option<DateTimeUtc>,
    /// The member who decided.
    pub resolved_by: Option<Uuid>,
}

impl Model {
    /// Whether only the case of the tag's name changes.
    pub fn is_recasing(&self) -> bool {
        self.after.is_some() && self.after == self.before && self.before_name.as_deref() != Some(&self.name)
    }
}

/// The change sets of writes that somebody of limited reach may see.
pub(crate) fn change_sets_within(holder: Uuid) -> SelectStatement {
    let within = Entity::find().filter(crate::reach::subscriptions(Column::SubscriptionId, holder));
    within.select_only().column(Column::ChangeSetId).into_query()
}

impl Entity {
    /// Resources of a subscription in which tags were written in Azure since `since`.
    pub fn written_since(subscription_id: Uuid, since: DateTimeUtc) -> SelectStatement {
        let written = Self::find()
            .filter(Column::SubscriptionId.eq(subscription_id))
            .filter(Column::EndedAt.gte(since))
            .filter(Column::SentAt.is_not_null());
        written.select_only().column(Column::ResourceId).into_query()
    }

    /// Ids of those of these writes that have ended, and not well.
    pub fn ended_otherwise(ids: Vec<Uuid>) -> Select<Self> {
        Self::find()
            .filter(Column::Id.is_in(ids))
            .filter(Column::Outcome.is_not_null())
            .filter(Column::Outcome.is_not_in(Outcome::DONE))
            .select_only()
            .column(Column::Id)
    }
}

/// The subscriptions in which a change set writes something.
pub fn written_in(change_set_id: Uuid) -> SelectStatement {
    let writes = Entity::find().filter(Column::ChangeSetId.eq(change_set_id));
    let writes = writes.filter(Column::Problems.is_null()).filter(Column::Outcome.is_null());
    writes.select_only().column(Column::SubscriptionId).into_query()
}

/// A write's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::SubscriptionId, holder))
    }
}
