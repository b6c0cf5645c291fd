//! Writes the tags of one resource: reads what Azure has, merges, sends only what differs, reads back.

mod recase;

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::change_set::{self, Purpose};
use entity::subscription::AccessLevel;
use entity::tag_write::{self, Outcome};
use entity::tags::Tags;
use entity::tags::merge::{ConflictPolicy, Merged, merge};
use entity::{Failure, Owned, resource, subscription, tenant};
use microsoft::{Caller, MicrosoftError};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::Names;
use super::refusal::{Refused, Written, refused, still};
use super::store::{self, End};
use crate::context::Context;
use crate::failures;
use crate::job::JobError;

/// How often a tag may be put back before it is not written any more.
const PUT_BACK: usize = 3;

/// Writes the tags of one subscription's resources.
pub(crate) struct Writer<'a> {
    context: &'a Context,
    change_set: &'a change_set::Model,
    subscription: subscription::Model,
    caller: Caller,
    names: &'a Names,
}

/// The writes of one resource while they are done.
struct Hand {
    resource: resource::Model,
    /// What Azure had when it was last read; until then what is stored.
    azure: Tags,
    /// What lives here only.
    local: Tags,
    ends: Vec<(tag_write::Model, End)>,
}

impl Hand {
    fn end(&mut self, write: tag_write::Model, outcome: Outcome, failure: Option<Failure>) {
        let found = self.azure.find(&write.name).map(|(_, value)| value.to_owned());
        self.ends.push((write, End { outcome, found, failure }));
    }

    /// Ends `writes` as Azure's refusal says, or leaves them for later.
    fn refuse(&mut self, writes: Vec<tag_write::Model>, error: &MicrosoftError) -> Result<Written, JobError> {
        match refused(error)? {
            Refused::Wait(written) => Ok(written),
            Refused::Whole(outcome, failure) | Refused::Tag(outcome, failure) => {
                for write in writes {
                    self.end(write, outcome, Some(failure.clone()));
                }
                Ok(Written::Done)
            }
        }
    }
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        context: &'a Context,
        change_set: &'a change_set::Model,
        subscription: subscription::Model,
        tenant: &tenant::Model,
        names: &'a Names,
    ) -> Self {
        let caller = Caller::App { tenant: tenant.entra_tenant_id };
        Self { context, change_set, subscription, caller, names }
    }

    /// Does the writes of one resource that have no outcome yet.
    pub(crate) async fn write(&self, writes: Vec<tag_write::Model>) -> Result<Written, JobError> {
        let Some(first) = writes.first() else { return Ok(Written::Done) };
        let found = resource::Entity::owned_by(first.organization_id)
            .filter(resource::Column::Id.eq(first.resource_id))
            .one(&self.context.database)
            .await?;
        let Some(resource) = found else {
            return Err(JobError::Fail(anyhow::anyhow!("the resource of a tag write is gone")));
        };
        let level = self.subscription.access_level;
        let (local, remote): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|write| self.is_local(level, &write.name));
        let kept = resource.tags.0.iter().filter(|(name, _)| self.names.is_local(level, name));
        let kept = Tags(kept.map(|(name, value)| (name.clone(), value.clone())).collect());
        let mut hand = Hand { azure: resource.tags.clone(), local: kept, resource, ends: Vec::new() };
        for write in local {
            hand.local.put(&write.name, write.after.as_deref());
            hand.end(write, Outcome::Stored, None);
        }
        let written = if remote.is_empty() { Written::Done } else { self.send(&mut hand, remote).await? };
        let mut shown = hand.local;
        let of_azure = hand.azure.0.into_iter().filter(|(name, _)| !self.names.is_local(level, name));
        shown.0.extend(of_azure);
        store::ends(self.context, self.change_set, hand.resource, shown, hand.ends).await?;
        Ok(written)
    }

    /// What is taken out of Azure because it lives here only is written there once more.
    fn is_local(&self, level: AccessLevel, name: &str) -> bool {
        let leaves = self.change_set.purpose == Purpose::SyncOff && level == AccessLevel::WriteTags;
        self.names.is_local(level, name) && !leaves
    }

    async fn send(&self, hand: &mut Hand, writes: Vec<tag_write::Model>) -> Result<Written, JobError> {
        match self.read(&hand.resource).await {
            Ok(tags) => hand.azure = tags,
            Err(error) => return hand.refuse(writes, &error),
        }
        let mut to_send = Vec::new();
        for write in writes {
            self.decide(hand, write, &mut to_send).await?;
        }
        if to_send.is_empty() {
            return Ok(Written::Done);
        }
        store::sent(self.context, &mut to_send).await?;
        let (set, remove): (Vec<_>, Vec<_>) = to_send.into_iter().partition(|write| write.after.is_some());
        let mut accepted = Vec::new();
        if let Some(wait) = self.set(hand, set, &mut accepted).await? {
            return self.read_back(hand, accepted).await.map(|_| wait);
        }
        if let Some(wait) = self.remove(hand, remove, &mut accepted).await? {
            return self.read_back(hand, accepted).await.map(|_| wait);
        }
        self.read_back(hand, accepted).await
    }

    /// What one write has to do, now that Azure was read.
    async fn decide(
        &self,
        hand: &mut Hand,
        write: tag_write::Model,
        to_send: &mut Vec<tag_write::Model>,
    ) -> Result<(), JobError> {
        let now = hand.azure.find(&write.name).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let value = now.as_ref().map(|(_, value)| value.as_str());
        let is_spelled = now.as_ref().is_none_or(|(name, _)| *name == write.name);
        if write.is_recasing() {
            // Between its two requests the tag is away: the second one brings it back.
            let is_between = value.is_none() && write.sent_at.is_some();
            if is_between || (value == write.after.as_deref() && !is_spelled) {
                to_send.push(write);
                return Ok(());
            }
        }
        match merge(write.before.as_deref(), value, write.after.as_deref(), self.policy(&write.name)) {
            Merged::InSync => {
                let outcome = if write.sent_at.is_some() { Outcome::Applied } else { Outcome::Unchanged };
                hand.end(write, outcome, None);
            }
            Merged::Keep => hand.end(write, Outcome::LeftAlone, None),
            Merged::Conflict => hand.end(write, Outcome::Conflict, None),
            Merged::Write => match self.put_back(&write).await? {
                Some(failure) => hand.end(write, Outcome::Conflict, Some(failure)),
                None => to_send.push(write),
            },
        }
        Ok(())
    }

    /// A revert leaves alone what somebody changed since.
    fn policy(&self, name: &str) -> ConflictPolicy {
        match self.change_set.purpose {
            Purpose::Revert => ConflictPolicy::AzureWins,
            Purpose::Change | Purpose::Resolve | Purpose::SyncOff | Purpose::SyncOn => {
                self.names.policy(name)
            }
        }
    }

    /// Whether something else has put the tag back whenever it was written.
    async fn put_back(&self, write: &tag_write::Model) -> Result<Option<Failure>, JobError> {
        if self.change_set.purpose == Purpose::Resolve || write.after.is_none() {
            return Ok(None);
        }
        let former = store::former(self.context, write).await?;
        let same = former.iter().take_while(|former| former.after == write.after);
        let put_back: Vec<_> = same
            .take_while(|former| former.resolution.is_none())
            .filter(|former| matches!(former.outcome, Some(Outcome::Applied | Outcome::RewrittenByPolicy)))
            .collect();
        let by_policy = put_back.iter().any(|former| former.outcome == Some(Outcome::RewrittenByPolicy));
        Ok((put_back.len() >= PUT_BACK).then(|| failures::put_back(put_back.len(), by_policy)))
    }

    /// Sends what is to be there. What comes back says that the rest has to wait.
    async fn set(
        &self,
        hand: &mut Hand,
        writes: Vec<tag_write::Model>,
        accepted: &mut Vec<tag_write::Model>,
    ) -> Result<Option<Written>, JobError> {
        let (recased, plain): (Vec<_>, Vec<_>) = writes.into_iter().partition(|write| {
            let known = hand.azure.find(&write.name);
            write.is_recasing() && known.is_some_and(|(name, _)| *name != write.name)
        });
        for write in recased {
            if let Some(wait) = self.recase(hand, write, accepted).await? {
                return Ok(Some(wait));
            }
        }
        self.each(
            hand,
            plain,
            accepted,
            |write| (write.name.clone(), write.after.clone().unwrap_or_default()),
            true,
        )
        .await
    }

    /// Takes away what is not to be there, but for old names whose new one is not written.
    async fn remove(
        &self,
        hand: &mut Hand,
        writes: Vec<tag_write::Model>,
        accepted: &mut Vec<tag_write::Model>,
    ) -> Result<Option<Written>, JobError> {
        let ended = hand.ends.iter().filter(|(_, end)| !Outcome::DONE.contains(&end.outcome));
        let mut refused: HashSet<Uuid> = ended.map(|(write, _)| write.id).collect();
        // Those of an earlier attempt.
        refused.extend(store::undone(self.context, writes.iter().filter_map(|write| write.after_id)).await?);
        let (kept, free): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|write| write.after_id.is_some_and(|id| refused.contains(&id)));
        for write in kept {
            hand.end(write, Outcome::Failed, Some(failures::not_renamed()));
        }
        let values: HashMap<Uuid, (String, String)> = free
            .iter()
            .filter_map(|write| {
                let (name, value) = hand.azure.find(&write.name)?;
                Some((write.id, (name.to_owned(), value.to_owned())))
            })
            .collect();
        let pair = |write: &tag_write::Model| {
            values.get(&write.id).cloned().unwrap_or_else(|| (write.name.clone(), String::new()))
        };
        self.each(hand, free, accepted, pair, false).await
    }

    /// Sends all of `writes` in one request; where one tag is refused, each in one of its own.
    async fn each(
        &self,
        hand: &mut Hand,
        writes: Vec<tag_write::Model>,
        accepted: &mut Vec<tag_write::Model>,
        pair: impl Fn(&tag_write::Model) -> (String, String),
        merges: bool,
    ) -> Result<Option<Written>, JobError> {
        if writes.is_empty() {
            return Ok(None);
        }
        let arm_id = hand.resource.arm_id.clone();
        match self.patch(&arm_id, writes.iter().map(&pair).collect(), merges).await {
            Ok(()) => {
                accepted.extend(writes);
                Ok(None)
            }
            Err(error) => match refused(&error)? {
                Refused::Tag(..) if writes.len() > 1 => {
                    for write in writes {
                        let one = self.patch(&arm_id, BTreeMap::from([pair(&write)]), merges).await;
                        match one {
                            Ok(()) => accepted.push(write),
                            Err(error) => {
                                if let Some(wait) = hand.refuse(vec![write], &error).map(still)? {
                                    return Ok(Some(wait));
                                }
                            }
                        }
                    }
                    Ok(None)
                }
                _ => hand.refuse(writes, &error).map(still),
            },
        }
    }

    async fn patch(
        &self,
        arm_id: &str,
        tags: BTreeMap<String, String>,
        merges: bool,
    ) -> Result<(), MicrosoftError> {
        let arm = self.context.microsoft.arm();
        if merges {
            arm.merge_tags(self.caller.clone(), arm_id, &tags).await?;
        } else {
            arm.delete_tags(self.caller.clone(), arm_id, &tags).await?;
        }
        Ok(())
    }

    /// Looks what became of everything that Azure accepted.
    async fn read_back(&self, hand: &mut Hand, accepted: Vec<tag_write::Model>) -> Result<Written, JobError> {
        if accepted.is_empty() {
            return Ok(Written::Done);
        }
        match self.read(&hand.resource).await {
            Ok(tags) => hand.azure = tags,
            Err(error) => return hand.refuse(accepted, &error),
        }
        for write in accepted {
            let now = hand.azure.find(&write.name).map(|(_, value)| value);
            let outcome =
                if now == write.after.as_deref() { Outcome::Applied } else { Outcome::RewrittenByPolicy };
            hand.end(write, outcome, None);
        }
        Ok(Written::Done)
    }

    async fn read(&self, resource: &resource::Model) -> Result<Tags, MicrosoftError> {
        self.context.microsoft.arm().tags(self.caller.clone(), &resource.arm_id).await.map(Tags)
    }
}
