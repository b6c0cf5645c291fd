//! A database with sealed values, and who seals and opens them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use entity::consent::{self, Kind, State};
use entity::{Clock, EncryptionKeys, Keyring, Owned, member, organization};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, QueryFilter, Set};
use secrecy::ExposeSecret;
use support::database::TestDatabase;
use support::stack::Stack;
use tokio::sync::Notify;
use uuid::Uuid;
use worker::keys::{self, KeysError, Rotation, Step};

pub const KEY: [u8; 32] = [42; 32];

/// Nobody else has to be told, so nobody is waited for.
const AT_ONCE: Rotation = Rotation { lead: Duration::ZERO, settle: Duration::ZERO };

/// A database with sealed values, and who seals and opens them.
pub struct Stage {
    pub home: TestDatabase,
    pub database: DatabaseConnection,
    /// Of a process that serves.
    pub keyring: Keyring,
    pub organization: Uuid,
    member: Uuid,
}

impl Stage {
    pub async fn start() -> Result<Self> {
        let home = TestDatabase::start(Stack::chosen()).await?;
        let database = home.connect().await?;
        let keyring = keys::open(&database, EncryptionKeys::new(KEY, []), Clock::system()).await?;
        let (organization, member) = (Uuid::now_v7(), Uuid::now_v7());
        let now = Clock::system().now();
        let organized = organization::ActiveModel {
            id: Set(organization),
            name: Set("Contoso".to_owned()),
            created_at: Set(now),
            ..Default::default()
        };
        organized.insert(&database).await?;
        let joined = member::ActiveModel {
            id: Set(member),
            organization_id: Set(organization),
            display_name: Set("Mona Member".to_owned()),
            role: Set(member::Role::Admin),
            created_at: Set(now),
            ..Default::default()
        };
        joined.insert(&database).await?;
        Ok(Self { home, database, keyring, organization, member })
    }

    /// A granted consent with a token that is sealed with `keyring`.
    pub async fn consent(
        &self,
        database: &impl ConnectionTrait,
        keyring: &Keyring,
        token: &str,
    ) -> Result<Uuid> {
        let (id, now) = (Uuid::now_v7(), Clock::system().now());
        let granted = consent::ActiveModel {
            id: Set(id),
            organization_id: Set(self.organization),
            member_id: Set(self.member),
            kind: Set(Kind::Azure),
            entra_tenant_id: Set(Uuid::now_v7()),
            tenant_id: Set(None),
            state: Set(State::Granted),
            failure: Set(None),
            state_hash: Set(consent::hash(&id.to_string())),
            browser_hash: Set(None),
            sealed_request: Set(Some(keyring.seal(b"request", &consent::row(id)))),
            sealed_token: Set(Some(keyring.seal(token.as_bytes(), &consent::row(id)))),
            consenting_user_id: Set(None),
            created_at: Set(now),
            expires_at: Set(now + consent::STATE_LIFETIME),
            granted_at: Set(Some(now)),
            window_closes_at: Set(Some(now + consent::WINDOW)),
            erased_at: Set(None),
            ..Default::default()
        };
        granted.insert(database).await?;
        Ok(id)
    }

    pub async fn read(&self, id: Uuid) -> Result<consent::Model> {
        let found = consent::Entity::owned_by(self.organization).filter(consent::Column::Id.eq(id));
        found.one(&self.database).await?.context("the consent is gone")
    }

    /// The token of this consent, as a process opens it that has just started; none: it is erased.
    pub async fn token(&self, id: Uuid) -> Result<Option<String>> {
        let consent = self.read(id).await?;
        let Some(sealed) = &consent.sealed_token else { return Ok(None) };
        let token = self.another_process().await?.open_text(sealed, &consent.row())?;
        Ok(Some(token.expose_secret().to_owned()))
    }

    /// The keyring of a process that has just started.
    pub async fn another_process(&self) -> Result<Keyring> {
        Ok(keys::open(&self.database, EncryptionKeys::new(KEY, []), Clock::system()).await?)
    }

    /// A rotation over `database`; answers what it told.
    pub async fn rotate(&self, database: &DatabaseConnection) -> Result<Vec<Step>, KeysError> {
        self.rotate_by(Clock::system(), database).await
    }

    /// A rotation by another clock.
    pub async fn rotate_by(
        &self,
        clock: Clock,
        database: &DatabaseConnection,
    ) -> Result<Vec<Step>, KeysError> {
        let keyring = keys::open(database, EncryptionKeys::new(KEY, []), clock.clone()).await?;
        let mut steps = Vec::new();
        keys::rotate(database, &keyring, &clock, AT_ONCE, |step| steps.push(step)).await?;
        Ok(steps)
    }
}

/// Connections whose statements are counted.
pub struct Counted {
    pub database: DatabaseConnection,
    count: Arc<AtomicUsize>,
    awaited: Arc<Mutex<Option<usize>>>,
    reached: Arc<Notify>,
}

impl Counted {
    pub async fn connect(home: &TestDatabase) -> Result<Self> {
        let mut database = home.connect().await?;
        let (count, reached) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
        let awaited = Arc::<Mutex<Option<usize>>>::default();
        let (counts, waits, notifies) = (Arc::clone(&count), Arc::clone(&awaited), Arc::clone(&reached));
        database.set_metric_callback(move |_| {
            let now = counts.fetch_add(1, Ordering::SeqCst) + 1;
            let awaited = *waits.lock().unwrap_or_else(PoisonError::into_inner);
            if awaited.is_some_and(|awaited| now >= awaited) {
                notifies.notify_one();
            }
        });
        Ok(Self { database, count, awaited, reached })
    }

    /// Waits for the statement of this number, counted from now.
    pub async fn statement(&self, number: usize) {
        let wanted = self.count.load(Ordering::SeqCst) + number;
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted);
        while self.count.load(Ordering::SeqCst) < wanted {
            self.reached.notified().await;
        }
    }
}
