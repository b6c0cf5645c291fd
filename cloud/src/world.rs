//! The world of a seed: subscriptions and their resources, computed when they are asked for.

mod resource;

use uuid::Uuid;

pub(crate) use resource::{Item, TYPES, group_name, groups_of};

use crate::config::Config;

/// What a test may know of a subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionInfo {
    /// Azure's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its state: `Enabled`, `Disabled`.
    pub state: String,
    /// How many resources it holds.
    pub resources: u64,
}

/// Which part a subscription plays for the user `owner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Owned.
    Owned,
    /// Only readable by the user: no role can be assigned.
    NotPermitted,
    /// Disabled in Azure.
    Disabled,
    /// Tenantry's service principal is Reader above it.
    Inherited,
    /// Owned under a condition that forbids our role.
    Conditioned,
}

/// One subscription as the seed made it.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) part: Part,
    /// How many resources the seed gave it.
    pub(crate) resources: u64,
    /// What its resources are computed from.
    pub(crate) salt: u64,
}

/// The world of a seed.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) tenant_id: Uuid,
    pub(crate) other_tenant_id: Uuid,
    /// Ordered by id.
    pub(crate) subscriptions: Vec<Subscription>,
}

impl World {
    pub(crate) fn new(config: &Config) -> Self {
        let seed = config.seed;
        let count = config.subscriptions;
        let mut ids: Vec<Uuid> = (0..count).map(|number| guid(seed, "subscription", number.into())).collect();
        ids.sort_unstable();
        let weights: Vec<u64> = (0..u64::from(count)).map(|number| 1 + mix(seed, number) % 9).collect();
        let whole: u64 = weights.iter().sum::<u64>().max(1);
        let share = |weight: u64| {
            let share = u128::from(config.resources) * u128::from(weight) / u128::from(whole);
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        let mut before = 0;
        let subscriptions = ids.into_iter().zip(weights).enumerate().map(|(index, (id, weight))| {
            let resources = share(before + weight) - share(before);
            before += weight;
            Subscription {
                id,
                name: format!("{} {:02}", NAMES[index % NAMES.len()], index + 1),
                part: part(index, count),
                resources,
                salt: mix(seed ^ 0x5eed, index as u64),
            }
        });
        Self {
            seed,
            tenant_id: guid(seed, "tenant", 1),
            other_tenant_id: guid(seed, "tenant", 2),
            subscriptions: subscriptions.collect(),
        }
    }

    pub(crate) fn subscription(&self, id: Uuid) -> Option<&Subscription> {
        let index = self.subscriptions.binary_search_by_key(&id, |subscription| subscription.id).ok()?;
        Some(&self.subscriptions[index])
    }
}

const NAMES: [&str; 8] = [
    "Production",
    "Staging",
    "Development",
    "Data Platform",
    "Shared Services",
    "Sandbox",
    "Retail",
    "Finance",
];

fn part(index: usize, count: u32) -> Part {
    match index {
        3 if count >= 12 => Part::NotPermitted,
        7 if count >= 12 => Part::Disabled,
        9 if count >= 12 => Part::Inherited,
        14 if count >= 20 => Part::Conditioned,
        _ => Part::Owned,
    }
}

/// A well-mixed number of two (splitmix64).
pub(crate) fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A GUID of the seed.
pub(crate) fn guid(seed: u64, kind: &str, number: u64) -> Uuid {
    let kind = kind.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let (high, low) = (mix(seed ^ kind, number), mix(seed.rotate_left(17) ^ kind, number ^ 0xabcd));
    let bits = (u128::from(high) << 64) | u128::from(low);
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resources_add_up_exactly() {
        for (subscriptions, resources) in [(1, 0), (1, 7), (12, 2_400), (2_000, 1_000_000), (13, 5)] {
            let world = World::new(&Config { subscriptions, resources, ..Config::default() });
            assert_eq!(world.subscriptions.iter().map(|one| one.resources).sum::<u64>(), resources);
        }
    }

    #[test]
    fn the_same_seed_is_the_same_world() {
        let world = |seed| World::new(&Config { seed, ..Config::default() }).subscriptions[0].id;
        assert_eq!(world(7), world(7));
        assert_ne!(world(7), world(8));
    }
}
