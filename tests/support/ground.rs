//! What benchmarks stand on: a durable `PostgreSQL` with one organization, one connected tenant and its
//! subscriptions, whose resources nobody has seen yet, and the jobs that take inventory of them.
//!
//! Everything but our own code is a process of its own, so that the memory of this process is a worker's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use entity::operation_step;
use entity::role_assignment::{self, Origin};
use entity::subscription::{self, AccessLevel, AzureState};
use entity::{Clock, EncryptionKeys, Owned, Work, member, operation, organization, tenant};
use microsoft::{Caller, Microsoft, Role, Subscription};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseConnection, QueryFilter, Set};
use secrecy::ExposeSecret;
use tokio::process::Command;
use url::Url;
use uuid::Uuid;
use worker::progress::Progress;
use worker::queue::{Queue, WorkerOptions, Workers};
use worker::{Context, Pace, operations};

use crate::cloud::Cloud;
use crate::postgres::PostgresServer;

/// As many connections as a process of an installation has.
pub const CONNECTIONS: u32 = 16;

/// How a scan went.
pub struct Scan {
    /// From the ring of the bell to the end of the operation.
    pub time: Duration,
    /// Resources that were seen.
    pub seen: u64,
    /// Of these, the ones that were stored.
    pub written: u64,
}

/// What benchmarks stand on.
pub struct Ground {
    /// The simulated cloud.
    pub cloud: Cloud,
    /// The database's server.
    pub postgres: PostgresServer,
    /// What the jobs work with.
    pub context: Context,
    /// The member who calls, an administrator.
    pub member: member::Model,
    tenant: Uuid,
    workers: Workers,
}

impl Ground {
    /// Connects the tenant of `cloud`.
    pub async fn prepare(cloud: Cloud) -> Result<Self> {
        let postgres = PostgresServer::durable().await?;
        let database = migration::connect(postgres.url().expose_secret(), CONNECTIONS).await?;
        migration::migrate(&database).await?;
        let clock = Clock::system();
        let microsoft = Microsoft::new(settings(&cloud)?, clock.as_fn())?;
        let queue = Queue::memory();
        let encryption_keys = EncryptionKeys::new([42; 32], []);
        let keyring = worker::keys::open(&database, encryption_keys, clock.clone()).await?;
        let context = Context {
            database,
            microsoft,
            keyring,
            clock,
            queue: queue.clone(),
            progress: Progress::memory(),
            pace: Pace::default(),
            client_secret_expires_at: None,
        };
        // `run_due` does not prolong leases, and no other process would take over.
        let options = WorkerOptions { lease: Duration::from_hours(1), ..WorkerOptions::default() };
        let workers = worker::jobs::register(Workers::new(queue, options), &context);
        let member = store_member(&context).await?;
        let tenant = store_tenant(&context, &cloud, member.organization_id).await?;
        Ok(Self { cloud, postgres, context, member, tenant, workers })
    }

    /// The database.
    pub fn database(&self) -> &DatabaseConnection {
        &self.context.database
    }

    /// Takes inventory of the whole tenant.
    pub async fn scan(&self) -> Result<Scan> {
        let (operation, time) = self.run(Work::Scan).await?;
        let steps = operation_step::Entity::owned_by(operation.organization_id)
            .filter(operation_step::Column::OperationId.eq(operation.id))
            .all(self.database())
            .await?;
        let sum =
            |count: fn(&operation_step::Model) -> i64| u64::try_from(steps.iter().map(count).sum::<i64>());
        Ok(Scan {
            time,
            seen: sum(|step| step.resources_seen)?,
            written: sum(|step| step.resources_written)?,
        })
    }

    /// Connects the tenant to Office 365 and reads everything of it; answers when that began, and how long it took.
    pub async fn load_office(&self) -> Result<(DateTime<Utc>, Duration)> {
        let tenant = tenant::Entity::owned_by(self.member.organization_id).one(self.database()).await?;
        let tenant = tenant.context("there is no tenant")?;
        let now = self.context.clock.now();
        worker::office::connect(self.database(), &tenant, self.member.id, now).await?;
        Ok((now, self.run(Work::LoadOffice).await?.1))
    }

    /// Does this from the ring of the bell to the end of the operation.
    async fn run(&self, work: Work) -> Result<(operation::Model, Duration)> {
        let operation = self.store_operation(work).await?;
        let begun = Instant::now();
        operations::ring(&self.context.queue, &operation).await?;
        self.workers.run_due().await?;
        let time = begun.elapsed();
        let ended = operation::Entity::owned_by(operation.organization_id)
            .filter(operation::Column::Id.eq(operation.id))
            .one(self.database())
            .await?
            .context("the operation is gone")?;
        ensure!(ended.state == operation::State::Succeeded, "it ended as {:?}", ended.state);
        Ok((ended, time))
    }

    /// Microsoft's own client reads the same rows to the last page, and stores nothing; answers how many, and
    /// how long that took.
    pub async fn scan_of_peer(&self) -> Result<(u64, Duration)> {
        let read = self.read_by_peer("bench/read_resource_graph.py").await?;
        read.first().copied().context("the peer read nothing")
    }

    /// The same of users, of groups with their members, and of a report; of the first two it may read only a part.
    pub async fn load_of_peer(&self) -> Result<[(u64, Duration); 3]> {
        let read = self.read_by_peer("bench/read_office.py").await?;
        read.try_into().map_err(|read| anyhow::anyhow!("the peer read {read:?}"))
    }

    /// How many rows, and how long that took, of each line that the program prints.
    async fn read_by_peer(&self, program: &str) -> Result<Vec<(u64, Duration)>> {
        let python = std::env::var_os("TENANTRY_BENCH_PYTHON")
            .context("TENANTRY_BENCH_PYTHON names no Python with Microsoft's SDKs: tests/bench/run does")?;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
        let output = Command::new(PathBuf::from(python))
            .arg(program)
            .args([self.cloud.base_url.as_str(), &self.cloud.tenant.to_string(), &self.cloud.client_id])
            .env("CLIENT_SECRET", self.cloud.client_secret.expose_secret())
            .output()
            .await?;
        ensure!(output.status.success(), "the peer failed: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout)?;
        let read = said.lines().map(|line| {
            let (rows, seconds) = line.split_once(' ').context("the peer says nothing")?;
            Ok((rows.parse()?, Duration::from_secs_f64(seconds.parse()?)))
        });
        read.collect()
    }

    async fn store_operation(&self, work: Work) -> Result<operation::Model> {
        let now = self.context.clock.now();
        let request = operation::Request {
            organization_id: self.member.organization_id,
            member_id: self.member.id,
            tenant_id: self.tenant,
            consent_id: None,
            work,
        };
        let transaction = worker::transaction::begin(self.database()).await?;
        let stored = worker::operations::store(&transaction, request, now).await?;
        transaction.commit().await?;
        stored.context("that is no operation")
    }
}

fn settings(cloud: &Cloud) -> Result<microsoft::Settings> {
    Ok(microsoft::Settings {
        login_url: cloud.base_url.clone(),
        arm_url: cloud.base_url.clone(),
        graph_url: cloud.base_url.clone(),
        consumption_url: cloud.base_url.clone(),
        report_hosts: microsoft::ReportHosts::default(),
        client_id: cloud.client_id.clone(),
        client_secret: cloud.client_secret.clone(),
        redirect_uri: Url::parse("http://127.0.0.1/consent/callback")?,
    })
}

async fn store_member(context: &Context) -> Result<member::Model> {
    let now = context.clock.now();
    let organization = organization::ActiveModel {
        id: Set(Uuid::now_v7()),
        name: Set("Contoso".to_owned()),
        created_at: Set(now),
        ..Default::default()
    };
    let organization = organization.insert(&context.database).await?;
    let member = member::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(organization.id),
        display_name: Set("Mona Member".to_owned()),
        role: Set(member::Role::Admin),
        created_at: Set(now),
        ..Default::default()
    };
    Ok(member.insert(&context.database).await?)
}

/// The tenant and every subscription of it, as an onboarding leaves them.
async fn store_tenant(context: &Context, cloud: &Cloud, organization_id: Uuid) -> Result<Uuid> {
    let now = context.clock.now();
    let tenant = tenant::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(organization_id),
        entra_tenant_id: Set(cloud.tenant),
        display_name: Set(None),
        default_domain: Set(None),
        state: Set(tenant::State::Connected),
        failure: Set(None),
        principal_id: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let tenant = tenant.insert(&context.database).await?;
    let found = context.microsoft.arm().subscriptions(&Caller::App { tenant: cloud.tenant }).await?;
    for subscription in found {
        store_subscription(context, &tenant, subscription).await?;
    }
    Ok(tenant.id)
}

async fn store_subscription(context: &Context, tenant: &tenant::Model, found: Subscription) -> Result<()> {
    let now = context.clock.now();
    let subscription = subscription::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(tenant.organization_id),
        tenant_id: Set(tenant.id),
        azure_subscription_id: Set(found.subscription_id),
        display_name: Set(found.display_name),
        azure_state: Set(AzureState::Enabled),
        access_level: Set(AccessLevel::ReadTags),
        resource_count: Set(0),
        scanned_at: Set(None),
        stale: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let subscription = subscription.insert(&context.database).await?;
    // Resource Graph is asked where Reader is held.
    let reader = role_assignment::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(tenant.organization_id),
        subscription_id: Set(subscription.id),
        arm_id: Set(format!("/subscriptions/{}/reader", found.subscription_id)),
        role_definition_id: Set(Role::Reader.definition_id()),
        principal_id: Set(Uuid::now_v7()),
        scope: Set(format!("/subscriptions/{}", found.subscription_id)),
        origin: Set(Origin::Inherited),
        created_at: Set(now),
        verified_at: Set(Some(now)),
    };
    reader.insert(&context.database).await?;
    Ok(())
}
