//! A change set: a planned, reviewable, revertible group of tag writes.

use sea_orm::entity::prelude::*;

/// What a change set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Purpose {
    /// What a member asked for.
    #[sea_orm(string_value = "CHANGE")]
    Change,
    /// Undoes another change set.
    #[sea_orm(string_value = "REVERT")]
    Revert,
    /// Carries out what was decided about conflicts.
    #[sea_orm(string_value = "RESOLVE")]
    Resolve,
    /// Removes from Azure what lives here only from now on.
    #[sea_orm(string_value = "SYNC_OFF")]
    SyncOff,
    /// Writes to Azure what lived here only until now.
    #[sea_orm(string_value = "SYNC_ON")]
    SyncOn,
}

/// Where a change set stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// It can be reviewed; nothing is written.
    #[sea_orm(string_value = "PLANNED")]
    Planned,
    /// It is being written.
    #[sea_orm(string_value = "APPLYING")]
    Applying,
    /// Everything in it was written, or was there already.
    #[sea_orm(string_value = "APPLIED")]
    Applied,
    /// Some of it was written; each write says what became of it.
    #[sea_orm(string_value = "PARTIAL")]
    Partial,
    /// Nothing of it was written.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// It was cancelled; what was written stays.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

/// One change set.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "change_set")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The member who planned it.
    pub member_id: Uuid,
    /// What the member calls it.
    pub title: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The change set that it reverts.
    pub reverts_id: Option<Uuid>,
    /// Whether subscriptions whose tags are only read are written to by roles that are held for it alone.
    pub elevates: bool,
    /// Where it stands.
    pub state: State,
    /// How many writes it has.
    pub writes: i64,
    /// How many of them would fail, and are not sent.
    pub problems: i64,
    /// When it was planned.
    pub created_at: DateTimeUtc,
    /// When it was begun to be written.
    pub applied_at: Option<DateTimeUtc>,
    /// When nothing more happened to it.
    pub finished_at: Option<DateTimeUtc>,
}

/// A change set's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    /// Whoever may see some of its writes.
    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(Column::Id.in_subquery(super::tag_write::change_sets_within(holder)))
    }
}
