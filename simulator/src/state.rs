//! What every answer is made from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calls::Calls;
use crate::config::Config;
use crate::consumption::Enrollments;
use crate::directory::Directory;
use crate::faults::Faults;
use crate::graph::{self, Reporting, RetryAfter};
use crate::keys::{Keys, StartKeysError};
use crate::login::Code;
use crate::office::Office;
use crate::permissions::Permissions;
use crate::rbac::Propagation;
use crate::throttle::Throttle;
use crate::world::{World, mix};

/// Settings that a test changes while the cloud runs.
#[derive(Clone, Copy)]
pub(crate) struct Dials {
    pub(crate) latency: Duration,
    pub(crate) propagation: Propagation,
    /// How far Microsoft's clock is ahead of the configuration's.
    pub(crate) clock_skew: TimeDelta,
    pub(crate) replication: TimeDelta,
    pub(crate) token_lifetime: Option<Duration>,
    pub(crate) page_size: usize,
    pub(crate) throttle: bool,
    /// How often a change of tags is looked at before it is done; none: it is done at once.
    pub(crate) tags_later: Option<u32>,
    /// Whether tokens stop working when they are revoked, not only when they expire.
    pub(crate) continuous_access: bool,
    pub(crate) graph_page_size: usize,
    /// Resource units of an app at Graph in ten seconds; none: by the size of the tenant.
    pub(crate) graph_units: Option<u32>,
    pub(crate) retry_after: RetryAfter,
    /// Whether the tenant has a premium licence of Entra ID.
    pub(crate) is_premium: bool,
}

/// What every answer is made from.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) world: World,
    pub(crate) keys: Arc<Keys>,
    pub(crate) directory: Mutex<Directory>,
    pub(crate) office: Mutex<Office>,
    pub(crate) reporting: Mutex<Reporting>,
    pub(crate) graph_throttle: graph::Throttle,
    pub(crate) enrollments: Mutex<Enrollments>,
    pub(crate) codes: Mutex<HashMap<String, Code>>,
    pub(crate) dials: Mutex<Dials>,
    pub(crate) throttle: Throttle,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    base_url: OnceLock<String>,
    issued: Mutex<u64>,
}

impl State {
    pub(crate) fn new(config: Config) -> Result<Self, StartKeysError> {
        Ok(Self::signing_with(Arc::new(Keys::generate()?), config))
    }

    pub(crate) fn signing_with(keys: Arc<Keys>, config: Config) -> Self {
        let world = World::new(&config);
        let now = (config.clock)();
        let delta = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        let dials = Dials {
            latency: config.latency,
            propagation: Propagation {
                at_least: delta(config.propagation),
                at_most: delta(config.propagation.saturating_add(config.propagation_spread)),
            },
            clock_skew: TimeDelta::zero(),
            replication: delta(config.replication),
            token_lifetime: config.token_lifetime,
            page_size: config.page_size.clamp(1, 1_000),
            throttle: config.throttle,
            tags_later: None,
            continuous_access: false,
            graph_page_size: config.graph_page_size.max(1),
            graph_units: None,
            retry_after: RetryAfter::default(),
            is_premium: true,
        };
        let permissions = Permissions::new(config.permissions.clone());
        let directory = Directory::new(&world, config.client_secret.clone(), permissions, now);
        let at_home = directory.users.iter().filter(|user| user.tenant_id == world.tenant_id);
        let named = at_home.map(|user| (user.key, user.name, user.object_id)).collect();
        let office = Office::new(&config, &world, named, directory.automation.1, now);
        Self {
            office: Mutex::new(office),
            reporting: Mutex::default(),
            graph_throttle: graph::Throttle::default(),
            directory: Mutex::new(directory),
            keys,
            enrollments: Mutex::default(),
            codes: Mutex::default(),
            dials: Mutex::new(dials),
            throttle: Throttle::default(),
            faults: Faults::default(),
            calls: Calls::new(config.remembered_calls),
            base_url: OnceLock::new(),
            issued: Mutex::new(0),
            world,
            config,
        }
    }

    /// The time at Microsoft.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.config.clock)() + self.dials().clock_skew
    }

    pub(crate) fn set_base_url(&self, url: String) {
        let _ = self.base_url.set(url);
    }

    pub(crate) fn base_url(&self) -> String {
        self.base_url.get().cloned().unwrap_or_default()
    }

    /// The address of the host of reports: another name of this machine, as it is another host than Graph's, so
    /// that whoever drops the token on the way to another host drops it here.
    pub(crate) fn reports_url(&self) -> String {
        let base = self.base_url();
        match base.split_once("//localhost") {
            Some((scheme, rest)) => format!("{scheme}//127.0.0.1{rest}"),
            None => base.replace("//127.0.0.1", "//localhost"),
        }
    }

    pub(crate) fn dials(&self) -> Dials {
        *lock(&self.dials)
    }

    /// Seconds that the next token lasts: 60 to 90 minutes unless it is set.
    pub(crate) fn token_lifetime(&self) -> i64 {
        if let Some(lifetime) = self.dials().token_lifetime {
            return i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        }
        let mut issued = lock(&self.issued);
        *issued += 1;
        3_600 + i64::try_from(mix(self.world.seed, *issued) % 1_800).unwrap_or(0)
    }
}

/// A test that panicked while it held a lock says so itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
