//! What schedules are played on: a database, a cloud and the machine's time for all of them, and for each an
//! organization, a tenant and workers of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::Services;
use chrono::TimeDelta;
use entity::{EncryptionKeys, Keyring, member, organization};
use microsoft::{Microsoft, Provider};
use sea_orm::{ActiveModelTrait, DatabaseConnection, Set};
use simulator::{Config, Person, Simulator};
use support::app::{settings, sign_in};
use support::database::TestDatabase;
use support::stack::Stack;
use url::Url;
use uuid::Uuid;
use worker::progress::Progress;
use worker::queue::{Queue, WorkerOptions, Workers};
use worker::{Context, Pace};

use super::life::Life;
use super::others::Others;
use super::schedule::World;
use super::tempo::Tempo;
use super::ticks::Ticks;

/// Where browsers and Microsoft would reach the api: nobody listens, as its functions are called.
const PUBLIC_URL: &str = "http://127.0.0.1:9/";

/// What schedules have in common.
pub struct Ground {
    pub ticks: Rc<Ticks>,
    pub tempo: Tempo,
    database: DatabaseConnection,
    simulator: Arc<Simulator>,
    keyring: Keyring,
    /// Clients take longer to make than an act to play; nothing that they remember is of another tenant.
    microsoft: Microsoft,
    sign_in: Provider,
    people: HashMap<&'static str, Rc<Person>>,
    played: u64,
    _home: TestDatabase,
}

impl Ground {
    /// Begins in a runtime whose time is stopped.
    pub async fn start() -> Result<Self> {
        let ticks = Rc::new(Ticks::start());
        let tempo = Tempo::start();
        let home = TestDatabase::start(Stack::chosen()).await?;
        let database = home.connect().await?;
        let config = Config { clock: tempo.of_cloud(), ..Config::default() };
        let simulator = Simulator::start(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let keyring =
            worker::keys::open(&database, EncryptionKeys::new([42; 32], []), tempo.of_system()).await?;
        let users = ["owner", "guest", "rbac-administrator", "contributor"];
        let people = users.map(|user| (user, Rc::new(Person::new(user)))).into();
        let clock = tempo.of_system().as_fn();
        let public_url = Url::parse(PUBLIC_URL)?;
        let microsoft = Microsoft::new(settings(&simulator, &public_url)?, Arc::clone(&clock))?;
        let sign_in = Provider::new(sign_in(&simulator, &public_url)?, clock)?;
        let simulator = Arc::new(simulator);
        Ok(Self {
            ticks,
            tempo,
            database,
            simulator,
            keyring,
            microsoft,
            sign_in,
            people,
            played: 0,
            _home: home,
        })
    }

    /// Everything for one schedule. Nobody else may hold the cloud any more.
    pub async fn stage(&mut self, world: &World) -> Result<Rc<Stage>> {
        self.played += 1;
        self.tempo.draw(0, &[], 1);
        self.tempo.advance(TimeDelta::hours(2));
        self.tempo.tell().await;
        let simulator = Arc::get_mut(&mut self.simulator).context("a schedule before goes on")?;
        simulator.begin_anew(config(world, self.played, &self.tempo));
        simulator.set_continuous_access(world.continuous);
        simulator.set_conflict_names_id(world.names_conflicts);
        simulator.set_clock_skew(TimeDelta::seconds(world.skew));
        let subscriptions = self.simulator.subscriptions().iter().map(|one| one.id).collect();
        let mut stage = Stage {
            world: world.clone(),
            ticks: Rc::clone(&self.ticks),
            tempo: self.tempo.clone(),
            database: self.database.clone(),
            keyring: self.keyring.clone(),
            sign_in: self.sign_in.clone(),
            people: self.people.clone(),
            member: self.member(world).await?,
            subscriptions,
            machine: RefCell::new(None),
            life: Life::default(),
            others: RefCell::new(Others::default()),
            simulator: Arc::clone(&self.simulator),
        };
        stage.machine = RefCell::new(Some(stage.boot(self.microsoft.clone())?));
        Ok(Rc::new(stage))
    }

    async fn member(&self, world: &World) -> Result<member::Model> {
        let now = self.tempo.now();
        let organization = organization::ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(Uuid::now_v7().to_string()),
            created_at: Set(now),
            keep_reader: Set(world.keeps_reader),
            conflict_policy: Set(entity::tags::merge::ConflictPolicy::Ask),
        };
        let organization = organization.insert(&self.database).await?;
        let member = member::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(organization.id),
            display_name: Set("Mona Member".to_owned()),
            role: Set(member::Role::Admin),
            created_at: Set(now),
            ..Default::default()
        };
        Ok(member.insert(&self.database).await?)
    }
}

fn config(world: &World, played: u64, tempo: &Tempo) -> Config {
    let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    Config {
        // No two schedules have a tenant in common: they are kept in the same database.
        seed: world.seed ^ played.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        subscriptions: world.subscriptions,
        resources: u64::from(world.subscriptions) * 2,
        propagation: seconds(world.propagation.0),
        propagation_spread: seconds(world.propagation.1),
        replication: Duration::from_secs(world.replication),
        token_lifetime: world.token_lifetime.map(Duration::from_secs),
        clock: tempo.of_cloud(),
        ..Config::default()
    }
}

/// What one schedule is played on.
pub struct Stage {
    pub world: World,
    pub ticks: Rc<Ticks>,
    pub tempo: Tempo,
    pub database: DatabaseConnection,
    pub simulator: Arc<Simulator>,
    pub member: member::Model,
    /// Azure's ids, as long as they were all there.
    pub subscriptions: Vec<Uuid>,
    pub life: Life,
    /// What others did about our roles.
    pub others: RefCell<Others>,
    pub people: HashMap<&'static str, Rc<Person>>,
    keyring: Keyring,
    sign_in: Provider,
    machine: RefCell<Option<Machine>>,
}

/// One process, with everything that it remembers.
#[derive(Clone)]
pub struct Machine {
    pub services: Services,
    pub workers: Rc<Workers>,
}

impl Stage {
    /// The process that runs now.
    pub fn machine(&self) -> Machine {
        self.machine.borrow().clone().expect("it was booted")
    }

    /// The process dies, and another one begins: only rows are left.
    pub fn restart(&self) -> Result<()> {
        let clock = self.tempo.of_system().as_fn();
        let microsoft = Microsoft::new(settings(&self.simulator, &Url::parse(PUBLIC_URL)?)?, clock)?;
        *self.machine.borrow_mut() = Some(self.boot(microsoft)?);
        Ok(())
    }

    /// Azure's id of the subscription of this number, if there are so many.
    pub fn subscription(&self, number: u32) -> Option<Uuid> {
        self.subscriptions.get(usize::try_from(number).ok()?).copied()
    }

    fn boot(&self, microsoft: Microsoft) -> Result<Machine> {
        let public_url = Url::parse(PUBLIC_URL)?;
        let clock = self.tempo.of_system();
        let (queue, progress) = (Queue::memory(), Progress::memory());
        let services = Services {
            database: self.database.clone(),
            microsoft: microsoft.clone(),
            sign_in: self.sign_in.clone(),
            keyring: self.keyring.clone(),
            clock: clock.clone(),
            queue: queue.clone(),
            progress: progress.clone(),
            public_url,
        };
        let context = Context {
            database: self.database.clone(),
            microsoft,
            keyring: self.keyring.clone(),
            clock,
            queue: queue.clone(),
            progress,
            // Checks of what is connected have tests of their own, and so has how often a new role is looked for.
            pace: Pace {
                first_look: Duration::from_secs(30),
                check_every: Duration::from_hours(24 * 365),
                ..Pace::default()
            },
            client_secret_expires_at: None,
        };
        let workers = worker::jobs::register(Workers::new(queue, WorkerOptions::default()), &context);
        Ok(Machine { services, workers: Rc::new(workers) })
    }
}
