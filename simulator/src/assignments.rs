//! Every role assignment, found by name, scope or holder without a search.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::rbac::{Assignment, Change, GONE, Moment, Scope};

/// Every role assignment. One that was taken away is kept where its holder is looked up: it works on until that
/// has propagated.
#[derive(Default)]
pub(crate) struct Assignments {
    /// By the order in which they were made, which is the order of every list.
    all: BTreeMap<u64, Assignment>,
    made: u64,
    named: HashMap<Uuid, u64>,
    at: HashMap<Scope, BTreeSet<u64>>,
    held: HashMap<Uuid, HashMap<Scope, Vec<u64>>>,
}

impl Assignments {
    pub(crate) fn add(&mut self, assignment: Assignment) {
        self.made += 1;
        let number = self.made;
        self.named.insert(assignment.name, number);
        self.at.entry(assignment.scope).or_default().insert(number);
        let held = self.held.entry(assignment.principal).or_default();
        held.entry(assignment.scope).or_default().push(number);
        self.all.insert(number, assignment);
    }

    /// Takes one away, and answers what it was.
    pub(crate) fn remove(&mut self, name: Uuid, removed: Change) -> Option<Assignment> {
        let number = self.named.remove(&name)?;
        let assignment = self.all.get_mut(&number)?;
        assignment.removed = Some(removed);
        let copy = assignment.clone();
        if let Some(here) = self.at.get_mut(&copy.scope) {
            here.remove(&number);
        }
        if removed.is_immediate() {
            self.forget(number, &copy);
        }
        Some(copy)
    }

    fn forget(&mut self, number: u64, assignment: &Assignment) {
        self.all.remove(&number);
        let held = self.held.get_mut(&assignment.principal);
        if let Some(numbers) = held.and_then(|held| held.get_mut(&assignment.scope)) {
            numbers.retain(|&known| known != number);
        }
    }

    pub(crate) fn named(&self, name: Uuid) -> Option<&Assignment> {
        self.all.get(self.named.get(&name)?)
    }

    pub(crate) fn count_at(&self, scope: Scope) -> usize {
        self.at.get(&scope).map_or(0, BTreeSet::len)
    }

    /// Those at or above a subscription, whoever holds them.
    pub(crate) fn at_or_above(&self, subscription: Uuid) -> impl Iterator<Item = &Assignment> {
        let scopes = Scope::at_or_above(subscription);
        let numbers: BTreeSet<u64> =
            scopes.iter().filter_map(|scope| self.at.get(scope)).flatten().copied().collect();
        numbers.into_iter().filter_map(|number| self.all.get(&number))
    }

    /// Those of a principal at exactly this scope.
    pub(crate) fn of(&self, principal: Uuid, scope: Scope) -> impl Iterator<Item = &Assignment> {
        let numbers = self.held.get(&principal).and_then(|held| held.get(&scope)).into_iter().flatten();
        numbers.filter_map(|number| self.all.get(number)).filter(|one| one.removed.is_none())
    }

    /// What `principals` (somebody and the groups they are in) hold at or above a subscription.
    pub(crate) fn held(
        &self,
        principals: &[Uuid],
        subscription: Uuid,
        moment: Moment,
    ) -> impl Iterator<Item = &Assignment> {
        let scopes = Scope::at_or_above(subscription);
        let held = principals.iter().filter_map(|principal| self.held.get(principal));
        let numbers = held.flat_map(move |held| scopes.into_iter().filter_map(|scope| held.get(&scope)));
        self.effective(numbers.flatten(), moment)
    }

    /// What they hold wherever that is.
    pub(crate) fn held_anywhere(
        &self,
        principals: &[Uuid],
        moment: Moment,
    ) -> impl Iterator<Item = &Assignment> {
        let held = principals.iter().filter_map(|principal| self.held.get(principal));
        self.effective(held.flat_map(HashMap::values).flatten(), moment)
    }

    fn effective<'a>(
        &'a self,
        numbers: impl Iterator<Item = &'a u64>,
        moment: Moment,
    ) -> impl Iterator<Item = &'a Assignment> {
        let assignments = numbers.filter_map(|number| self.all.get(number));
        assignments.filter(move |assignment| assignment.is_effective(&moment))
    }

    /// Leaves behind what a principal held that is deleted.
    pub(crate) fn orphan(&mut self, principal: Uuid) {
        for number in self.held.get(&principal).into_iter().flat_map(HashMap::values).flatten() {
            if let Some(left) = self.all.get_mut(number) {
                left.principal_type = GONE;
            }
        }
    }
}
