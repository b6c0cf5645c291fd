//! A change set while it is planned: what is wished for is compared, resource by resource, with what is stored, and
//! everything that would be refused is found before anything is sent.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::change_set::{self, Purpose, State};
use entity::subscription::AccessLevel;
use entity::tags::name_term;
use entity::tags::rules::{self, Problem, ProblemCode, Problems};
use entity::{Owned, resource, subscription, tag_write, taggable_type, tenant};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    Set, Unchanged,
};
use uuid::Uuid;

use super::elevation::ELEVATED;
use super::{CHUNK, Names};

/// Who plans a change set, and what it is called.
#[derive(Clone, Debug)]
pub struct Request {
    /// The organization it is for.
    pub organization_id: Uuid,
    /// The member who plans it.
    pub member_id: Uuid,
    /// What the member calls it.
    pub title: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The change set that it reverts.
    pub reverts_id: Option<Uuid>,
    /// Whether subscriptions whose tags are only read are written to by roles that are held for it alone.
    pub elevates: bool,
}

/// A tag to take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its name, in whichever case.
    pub name: String,
    /// Only where it has this value; none: whatever its value is.
    pub value: Option<String>,
}

/// A tag that is to have another name, and to keep its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renaming {
    /// The name that it has, in whichever case.
    pub from: String,
    /// The name that it is to have.
    pub to: String,
}

/// What is wished of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Tags that it is to have: names and values.
    pub set: Vec<(String, String)>,
    /// Tags that it is not to have.
    pub remove: Vec<Removal>,
    /// Tags that are to have another name.
    pub rename: Vec<Renaming>,
}

/// What is known of a subscription.
#[derive(Clone, Copy)]
struct Ground {
    level: AccessLevel,
    is_connected: bool,
}

/// A change set while it is planned.
pub struct Draft<'a> {
    transaction: &'a DatabaseTransaction,
    change_set: change_set::Model,
    names: Names,
    grounds: HashMap<Uuid, Ground>,
    untaggable: HashMap<String, bool>,
    waiting: Vec<tag_write::ActiveModel>,
}

impl<'a> Draft<'a> {
    /// Begins to plan. Nothing of it stays unless [`finish`](Self::finish) was called and the transaction committed.
    pub async fn begin(
        transaction: &'a DatabaseTransaction,
        request: Request,
        now: DateTime<Utc>,
    ) -> Result<Self, DbErr> {
        let names = Names::load(transaction, request.organization_id).await?;
        let change_set = change_set::Model {
            id: Uuid::now_v7(),
            organization_id: request.organization_id,
            member_id: request.member_id,
            title: request.title,
            purpose: request.purpose,
            reverts_id: request.reverts_id,
            elevates: request.elevates,
            state: State::Planned,
            writes: 0,
            problems: 0,
            created_at: now,
            applied_at: None,
            finished_at: None,
        };
        change_set.clone().into_active_model().reset_all().insert(transaction).await?;
        Ok(Self::of(transaction, change_set, names))
    }

    /// Goes on with one that was planned before.
    pub(super) async fn resume(
        transaction: &'a DatabaseTransaction,
        change_set: change_set::Model,
    ) -> Result<Self, DbErr> {
        let names = Names::load(transaction, change_set.organization_id).await?;
        Ok(Self::of(transaction, change_set, names))
    }

    fn of(transaction: &'a DatabaseTransaction, change_set: change_set::Model, names: Names) -> Self {
        let (grounds, untaggable) = (HashMap::new(), HashMap::new());
        Self { transaction, change_set, names, grounds, untaggable, waiting: Vec::new() }
    }

    /// How many writes it has so far.
    pub fn writes(&self) -> i64 {
        self.change_set.writes
    }

    /// Adds what is wished of these resources. What they have already is no write.
    pub async fn add(&mut self, resources: &[resource::Model], wish: &Wish) -> Result<(), DbErr> {
        self.learn(resources).await?;
        for resource in resources {
            let mut writes = self.writes_of(resource, wish);
            self.judge(resource, &mut writes);
            self.take(writes).await?;
        }
        Ok(())
    }

    /// Adds to each of these resources what is wished of it: `wishes` has them by the resource's id.
    pub async fn add_each(
        &mut self,
        resources: &[resource::Model],
        wishes: &HashMap<Uuid, Wish>,
    ) -> Result<(), DbErr> {
        self.learn(resources).await?;
        for resource in resources {
            let Some(wish) = wishes.get(&resource.id) else { continue };
            let mut writes = self.writes_of(resource, wish);
            self.judge(resource, &mut writes);
            self.take(writes).await?;
        }
        Ok(())
    }

    /// Takes writes of one resource out again.
    pub(super) async fn withdraw(&mut self, writes: &[tag_write::Model]) -> Result<(), DbErr> {
        let ids = writes.iter().map(|write| write.id);
        tag_write::Entity::delete_many()
            .filter(tag_write::Column::Id.is_in(ids))
            .exec(self.transaction)
            .await?;
        for write in writes {
            self.change_set.writes -= 1;
            self.change_set.problems -= i64::from(write.problems.is_some());
        }
        Ok(())
    }

    /// Adds writes of one resource as they are: those of a revert, of decided conflicts, or planned again.
    pub async fn add_writes(
        &mut self,
        resource: &resource::Model,
        mut writes: Vec<tag_write::Model>,
    ) -> Result<(), DbErr> {
        self.learn(std::slice::from_ref(resource)).await?;
        for write in &mut writes {
            write.change_set_id = self.change_set.id;
        }
        self.judge(resource, &mut writes);
        self.take(writes).await
    }

    /// A write of one tag of this resource, not judged yet.
    pub fn write(
        &self,
        resource: &resource::Model,
        name: &str,
        before: Option<(&str, &str)>,
        after: Option<&str>,
    ) -> tag_write::Model {
        tag_write::Model {
            id: Uuid::now_v7(),
            organization_id: self.change_set.organization_id,
            change_set_id: self.change_set.id,
            subscription_id: resource.subscription_id,
            resource_id: resource.id,
            name: name.to_owned(),
            folded: name_term(name),
            before: before.map(|(_, value)| value.to_owned()),
            before_name: before.map(|(name, _)| name.to_owned()),
            after: after.map(str::to_owned),
            problems: None,
            after_id: None,
            outcome: None,
            found: None,
            failure: None,
            sent_at: None,
            ended_at: None,
            resolution: None,
            resolved_at: None,
            resolved_by: None,
        }
    }

    /// Stores what is left to store, and how much it is.
    pub async fn finish(mut self) -> Result<change_set::Model, DbErr> {
        self.flush().await?;
        let counted = change_set::ActiveModel {
            id: Unchanged(self.change_set.id),
            writes: Set(self.change_set.writes),
            problems: Set(self.change_set.problems),
            ..Default::default()
        };
        counted.update(self.transaction).await?;
        Ok(self.change_set)
    }

    /// Reads what is needed to judge writes of these resources, unless it was read before.
    async fn learn(&mut self, resources: &[resource::Model]) -> Result<(), DbErr> {
        let new: HashSet<Uuid> = resources
            .iter()
            .map(|resource| resource.subscription_id)
            .filter(|id| !self.grounds.contains_key(id))
            .collect();
        if !new.is_empty() {
            let organization_id = self.change_set.organization_id;
            let subscriptions = subscription::Entity::owned_by(organization_id)
                .filter(subscription::Column::Id.is_in(new))
                .all(self.transaction)
                .await?;
            let tenants = tenant::Entity::owned_by(organization_id).all(self.transaction).await?;
            let connected: HashSet<Uuid> = tenants
                .into_iter()
                .filter(|tenant| tenant.state.is_connected())
                .map(|tenant| tenant.id)
                .collect();
            self.grounds.extend(subscriptions.into_iter().map(|subscription| {
                let is_connected = connected.contains(&subscription.tenant_id);
                (subscription.id, Ground { level: subscription.access_level, is_connected })
            }));
        }
        let types: HashSet<String> = resources
            .iter()
            .map(|resource| resource.resource_type.clone())
            .filter(|of| !self.untaggable.contains_key(of))
            .collect();
        if !types.is_empty() {
            let known = taggable_type::Entity::of(types.clone()).all(self.transaction).await?;
            // Of a type that Azure never told of, Azure's answer to the write will tell.
            self.untaggable.extend(types.into_iter().map(|of| (of, false)));
            self.untaggable.extend(known.into_iter().map(|of| (of.resource_type, !of.taggable)));
        }
        Ok(())
    }

    fn writes_of(&self, resource: &resource::Model, wish: &Wish) -> Vec<tag_write::Model> {
        let mut writes = Vec::new();
        for (name, value) in &wish.set {
            let before = resource.tags.find(name);
            if before.is_none_or(|(_, known)| known != value) {
                writes.push(self.write(resource, name, before, Some(value)));
            }
        }
        for removal in &wish.remove {
            let before = resource.tags.find(&removal.name);
            let goes = |(_, value): &(&str, &str)| removal.value.as_deref().is_none_or(|only| only == *value);
            if let Some((name, value)) = before.filter(goes) {
                writes.push(self.write(resource, name, Some((name, value)), None));
            }
        }
        for renaming in &wish.rename {
            self.rename(resource, renaming, &mut writes);
        }
        writes
    }

    fn rename(&self, resource: &resource::Model, renaming: &Renaming, writes: &mut Vec<tag_write::Model>) {
        let Some((from, value)) = resource.tags.find(&renaming.from) else { return };
        let before = resource.tags.find(&renaming.to);
        if name_term(from) == name_term(&renaming.to) {
            if from != renaming.to {
                writes.push(self.write(resource, &renaming.to, before, Some(value)));
            }
            return;
        }
        let mut removal = self.write(resource, from, Some((from, value)), None);
        if before.is_none_or(|(_, known)| known != value) {
            let mut renamed = self.write(resource, &renaming.to, before, Some(value));
            if let Some((known, _)) = before {
                let message = format!(
                    "The resource has the tag \"{known}\" already, with another value. Change or remove that one first."
                );
                renamed.problems = Some(Problems(vec![Problem::new(ProblemCode::NameTaken, message)]));
                removal.problems.clone_from(&renamed.problems);
            }
            removal.after_id = Some(renamed.id);
            writes.push(renamed);
        }
        writes.push(removal);
    }

    /// Finds everything that stands against each of the writes of one resource.
    fn judge(&self, resource: &resource::Model, writes: &mut [tag_write::Model]) {
        let ground = self.grounds.get(&resource.subscription_id);
        let level = ground.map_or(AccessLevel::None, |ground| ground.level);
        let mut all = Vec::new();
        if resource.deleted_at.is_some() {
            let message = "The resource does not exist in Azure any more. Leave it out.";
            all.push(Problem::new(ProblemCode::ResourceDeleted, message));
        }
        if !ground.is_some_and(|ground| ground.is_connected) {
            let message = "The tenant is not connected. Onboard it again first.";
            all.push(Problem::new(ProblemCode::NotConnected, message));
        }
        if self.untaggable.get(&resource.resource_type).copied().unwrap_or(false) {
            all.push(rules::not_taggable(&resource.resource_type));
        }
        let mut after = resource.tags.clone();
        for write in writes.iter() {
            after.put(&write.name, write.after.as_deref());
        }
        let too_many = rules::too_many(&resource.resource_type, &after);
        for write in writes {
            let mut problems = write.problems.take().unwrap_or_default().0;
            problems.extend(all.iter().cloned());
            problems.extend(rules::problems(&resource.resource_type, &write.name, write.after.as_deref()));
            if write.after.is_some() && resource.tags.find(&write.name).is_none() {
                problems.extend(too_many.clone());
            }
            let is_written =
                level == AccessLevel::WriteTags || (level == ELEVATED && self.change_set.elevates);
            if !is_written && !self.names.is_local(level, &write.name) {
                let message = "Tags are written only at subscriptions with the access level WRITE_TAGS. Change it \
                               by changeAccess; or plan this with `elevates`, which holds the role for as long as \
                               tags are written.";
                problems.push(Problem::new(ProblemCode::AccessLevelTooLow, message));
            }
            write.problems = (!problems.is_empty()).then_some(Problems(problems));
        }
    }

    async fn take(&mut self, writes: Vec<tag_write::Model>) -> Result<(), DbErr> {
        for write in writes {
            self.change_set.writes += 1;
            self.change_set.problems += i64::from(write.problems.is_some());
            self.waiting.push(write.into_active_model().reset_all());
        }
        if self.waiting.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), DbErr> {
        let mut waiting = std::mem::take(&mut self.waiting);
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(CHUNK));
            tag_write::Entity::insert_many(waiting).exec_without_returning(self.transaction).await?;
            waiting = rest;
        }
        Ok(())
    }
}
