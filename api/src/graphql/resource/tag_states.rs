//! Where each tag of a resource stands between what is wanted here and what Azure has.

use std::collections::HashMap;

use async_graphql::{Context, Enum, Object, Result};
use entity::change_set;
use entity::subscription::AccessLevel;
use entity::tag_write::{self, Column, Outcome};
use entity::tags::Tags;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, DbErr, QueryFilter, QuerySelect, QueryTrait};
use uuid::Uuid;
use worker::change_set::Names;

use crate::graphql::change_set::TagWrite;
use crate::graphql::scope::Scope;
use crate::graphql::stored::object;

/// Where a tag stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "TagSyncState")]
pub enum TagSyncState {
    /// Azure has what is shown here.
    InSync,
    /// It is being written.
    Pending,
    /// Somebody else changed it too; a member has to decide.
    Conflict,
    /// It could not be written; the write says why.
    Failed,
    /// It lives here only.
    LocalOnly,
}

/// Where one tag of a resource stands.
pub struct TagState {
    name: String,
    value: Option<String>,
    state: TagSyncState,
    last: Option<tag_write::Model>,
}

/// Where one tag of a resource stands. Needs the role `VIEWER`, or the scope `inventory:read`.
#[Object(name = "TagState")]
impl TagState {
    /// Its name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// The value that is shown; null: there is no such tag, and somebody wants or wanted there to be one.
    async fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// The value that is wanted, where that is another: it is pending, in conflict, or failed.
    async fn wanted(&self) -> Option<&str> {
        let is_open = !matches!(self.state, TagSyncState::InSync | TagSyncState::LocalOnly);
        self.last.as_ref().filter(|_| is_open).and_then(|write| write.after.as_deref())
    }

    /// Where it stands.
    async fn state(&self) -> TagSyncState {
        self.state
    }

    /// The last write of it that was begun, if there was any.
    async fn last_write(&self, _ctx: &Context<'_>) -> Option<TagWrite> {
        self.last.clone().and_then(object)
    }
}

/// What was last begun about tags of resources, and what is decided about names.
pub struct Writes {
    by_resource: HashMap<Uuid, HashMap<String, tag_write::Model>>,
    names: Names,
}

impl Writes {
    /// What was last begun about each tag of these resources.
    pub async fn of(scope: Scope<'_>, resources: Vec<Uuid>) -> Result<Self, DbErr> {
        let planned = scope
            .owned::<change_set::Entity>()
            .filter(change_set::Column::State.eq(change_set::State::Planned))
            .select_only()
            .column(change_set::Column::Id);
        let place = "row_number() over (partition by resource_id, folded order by id desc)";
        let placed = scope
            .owned::<tag_write::Entity>()
            .filter(Column::ResourceId.is_in(resources))
            .filter(Column::ChangeSetId.not_in_subquery(planned.into_query()))
            .select_only()
            .column(Column::Id)
            .expr_as(Expr::cust(place), "place");
        let last = Query::select()
            .column(Alias::new("id"))
            .from_subquery(placed.into_query(), Alias::new("placed"))
            .and_where(Expr::col(Alias::new("place")).eq(1))
            .to_owned();
        let last = scope.owned::<tag_write::Entity>().filter(Column::Id.in_subquery(last));
        let mut by_resource: HashMap<Uuid, HashMap<String, tag_write::Model>> = HashMap::new();
        for write in last.all(scope.database()).await? {
            by_resource.entry(write.resource_id).or_default().insert(write.folded.clone(), write);
        }
        let names = Names::load(scope.database(), scope.viewer.organization_id).await?;
        Ok(Self { by_resource, names })
    }

    /// Where each tag stands of a resource with these tags, in a subscription of this level: those that it has, by
    /// name, and then those that it has not.
    pub fn states(&self, resource_id: Uuid, tags: &Tags, level: AccessLevel) -> Vec<TagState> {
        let mut writes = self.by_resource.get(&resource_id).cloned().unwrap_or_default();
        let mut states: Vec<TagState> = tags
            .0
            .iter()
            .map(|(name, value)| {
                let last = writes.remove(&entity::tags::name_term(name));
                self.state(level, name.clone(), Some(value.clone()), last)
            })
            .collect();
        let mut others: Vec<tag_write::Model> = writes.into_values().collect();
        others.sort_by(|one, other| one.folded.cmp(&other.folded));
        let others = others.into_iter().map(|write| self.state(level, write.name.clone(), None, Some(write)));
        states
            .extend(others.filter(|of| !matches!(of.state, TagSyncState::InSync | TagSyncState::LocalOnly)));
        states
    }

    fn state(
        &self,
        level: AccessLevel,
        name: String,
        value: Option<String>,
        last: Option<tag_write::Model>,
    ) -> TagState {
        let state = match &last {
            _ if self.names.is_local(level, &name) => TagSyncState::LocalOnly,
            None => TagSyncState::InSync,
            Some(write) if write.after == value => TagSyncState::InSync,
            Some(write) => of(write),
        };
        TagState { name, value, state, last }
    }
}

/// Where a tag stands that is not as this write wanted it.
fn of(write: &tag_write::Model) -> TagSyncState {
    match write.outcome {
        None => TagSyncState::Pending,
        Some(Outcome::Conflict) if write.resolved_at.is_none() => TagSyncState::Conflict,
        // Somebody changed it since, or decided for what Azure has.
        Some(
            Outcome::Applied
            | Outcome::Unchanged
            | Outcome::Stored
            | Outcome::Conflict
            | Outcome::LeftAlone
            | Outcome::Cancelled,
        ) => TagSyncState::InSync,
        Some(_) => TagSyncState::Failed,
    }
}
