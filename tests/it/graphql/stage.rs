//! A schema over a database of the test's own, with a world that the test builds row by row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use api::Services;
use api::graphql::Schema;
use api::viewer::Viewer;
use async_graphql::{Request, Variables};
use chrono::TimeDelta;
use entity::access_token::{self, AccessScope, AccessTokenSecret};
use entity::audit_event::{self, Action, ObjectKind, Record};
use entity::invitation::{self, Guest};
use entity::member::Role;
use entity::subscription::{AccessLevel, AzureState};
use entity::tags::Tags;
use entity::{
    EncryptionKeys, Owned, consent, enrollment_key, member, operation, operation_step, organization, resource,
};
use entity::{role_assignment, subscription, tenant};
use microsoft::{Microsoft, Provider};
use migration::wall;
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, Set, Statement};
use secrecy::SecretString;
use serde_json::Value;
use support::app::no_issuer;
use support::clock::TestClock;
use support::database::TestDatabase;
use support::stack::{Bell, Stack};
use url::Url;
use uuid::Uuid;

/// A schema over a database of its own.
pub struct Stage {
    pub schema: Schema,
    pub database: DatabaseConnection,
    pub services: Services,
    pub clock: TestClock,
    statements: Arc<Mutex<Vec<Statement>>>,
    _home: TestDatabase,
    _bell: Bell,
}

/// A resource of a test: what it does not say is the same for all.
#[derive(Clone, Default)]
pub struct Given {
    pub name: &'static str,
    pub resource_type: &'static str,
    pub location: &'static str,
    pub group: &'static str,
    pub tags: &'static [(&'static str, &'static str)],
    pub deleted: bool,
}

impl Stage {
    pub async fn start() -> Result<Self> {
        Self::over(TestDatabase::start(Stack::chosen()).await?).await
    }

    /// One whose database, if it is PostgreSQL, has a wall around each organization.
    pub async fn behind_wall() -> Result<Self> {
        let mut home = TestDatabase::start(Stack::chosen()).await?;
        home.raise_wall().await?;
        Self::over(home).await
    }

    async fn over(home: TestDatabase) -> Result<Self> {
        let stack = Stack::chosen();
        let mut database = home.connect().await?;
        let statements = Arc::<Mutex<Vec<Statement>>>::default();
        let heard = Arc::clone(&statements);
        database.set_metric_callback(move |info| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(info.statement.clone());
        });
        let bell = Bell::start(stack).await?;
        let clock = TestClock::default();
        let encryption_keys = EncryptionKeys::new([7; 32], []);
        let keyring = worker::keys::open(&database, encryption_keys, clock.clock()).await?;
        let services = Services {
            database: database.clone(),
            microsoft: Microsoft::new(nobody_there()?, clock.clock().as_fn())?,
            sign_in: Provider::new(no_issuer()?, clock.clock().as_fn())?,
            keyring,
            clock: clock.clock(),
            queue: bell.queue.clone(),
            progress: bell.progress.clone(),
            public_url: Url::parse("http://tenantry.example/")?,
        };
        let schema = api::graphql::schema(Some(services.clone()));
        Ok(Self { schema, database, services, clock, statements, _home: home, _bell: bell })
    }

    /// Everything that the api says to `viewer`.
    pub async fn answer(&self, viewer: Viewer, query: &str, variables: Value) -> Result<Value> {
        let request = Request::new(query).variables(Variables::from_json(variables)).data(viewer);
        let answer = wall::within(Some(viewer.organization_id), self.schema.execute(request));
        Ok(serde_json::to_value(answer.await)?)
    }

    /// What the api says to `viewer`, who asks for nothing that can fail.
    pub async fn ask(&self, viewer: Viewer, query: &str, variables: Value) -> Result<Value> {
        let mut answer = self.answer(viewer, query, variables).await?;
        anyhow::ensure!(answer.get("errors").is_none(), "the api refused: {answer}");
        Ok(answer["data"].take())
    }

    /// Why the api refuses what `viewer` asks for: the code and the message of the first error.
    pub async fn refusal(&self, viewer: Viewer, query: &str, variables: Value) -> Result<(String, String)> {
        let answer = self.answer(viewer, query, variables).await?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let error = &answer["errors"][0];
        text(&error["extensions"]["code"])
            .zip(text(&error["message"]))
            .with_context(|| format!("the api did not refuse: {answer}"))
    }

    /// The statements since the last call.
    pub fn statements(&self) -> Vec<Statement> {
        std::mem::take(&mut *self.statements.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An administrator of a new organization.
    pub async fn viewer(&self) -> Result<Viewer> {
        let organization = organization::ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(Uuid::now_v7().to_string()),
            created_at: Set(self.clock.now()),
            ..Default::default()
        };
        let organization = organization.insert(&self.database).await?;
        let member = member::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(organization.id),
            display_name: Set("Mona Member".to_owned()),
            role: Set(Role::Admin),
            created_at: Set(self.clock.now()),
            ..Default::default()
        };
        let member = member.insert(&self.database).await?;
        Ok(Viewer::of_member(&member))
    }

    /// Another member of the viewer's organization.
    pub async fn colleague(&self, viewer: Viewer, role: Role) -> Result<Viewer> {
        let member = member::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(viewer.organization_id),
            display_name: Set("Cole League".to_owned()),
            role: Set(role),
            created_at: Set(self.clock.now()),
            ..Default::default()
        };
        Ok(Viewer::of_member(&member.insert(&self.database).await?))
    }

    /// An open invitation.
    pub async fn invitation(&self, viewer: Viewer) -> Result<invitation::Model> {
        let guest = Guest {
            organization_id: viewer.organization_id,
            display_name: "Ina Invited".to_owned(),
            role: Role::Viewer,
            limited: false,
            invited_by: Some(viewer.member_id),
        };
        Ok(guest.invited(self.clock.now()).0.insert(&self.database).await?)
    }

    /// An access token that the viewer's member created, with every scope.
    pub async fn access_token(&self, viewer: Viewer) -> Result<access_token::Model> {
        let secret = AccessTokenSecret::random();
        let token = access_token::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(viewer.organization_id),
            name: Set("partner".to_owned()),
            token_hash: Set(secret.hash().to_vec()),
            last_four: Set(secret.last_four().to_owned()),
            scopes: Set(AccessScope::ALL.into_iter().collect()),
            limited: Set(false),
            created_by: Set(viewer.member_id),
            created_at: Set(self.clock.now()),
            expires_at: Set(self.clock.now() + TimeDelta::days(90)),
            last_used_at: Set(None),
            last_used_address: Set(None),
            revoked_at: Set(None),
            replaces: Set(None),
        };
        Ok(token.insert(&self.database).await?)
    }

    /// An enrollment key that was never checked. What is sealed is no key.
    pub async fn enrollment_key(&self, viewer: Viewer, number: &str) -> Result<enrollment_key::Model> {
        let id = Uuid::now_v7();
        let key = enrollment_key::ActiveModel {
            id: Set(id),
            organization_id: Set(viewer.organization_id),
            enrollment_number: Set(number.to_owned()),
            sealed_key: Set(self.services.keyring.seal(b"no key", &enrollment_key::row(id))),
            last_four: Set("_key".to_owned()),
            state: Set(None),
            failure: Set(None),
            expires_at: Set(Some(self.clock.now() + TimeDelta::days(90))),
            checked_at: Set(None),
            created_by: Set(viewer.member_id),
            created_at: Set(self.clock.now()),
            updated_at: Set(self.clock.now()),
        };
        Ok(key.insert(&self.database).await?)
    }

    /// What the viewer did to its organization.
    pub async fn audit_event(&self, viewer: Viewer) -> Result<audit_event::Model> {
        let record = Record::of(Action::ScanStarted, ObjectKind::Organization, viewer.organization_id);
        let transaction = worker::transaction::begin(&self.database).await?;
        let (keyring, now) = (&self.services.keyring, self.clock.now());
        let event = worker::audit::append(&transaction, keyring, now, &viewer.author(None), record).await?;
        transaction.commit().await?;
        Ok(event)
    }

    pub async fn tenant(&self, viewer: Viewer) -> Result<tenant::Model> {
        let tenant = tenant::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(viewer.organization_id),
            entra_tenant_id: Set(Uuid::new_v4()),
            display_name: Set(Some("Contoso".to_owned())),
            default_domain: Set(Some("contoso.example".to_owned())),
            state: Set(tenant::State::Connected),
            failure: Set(None),
            principal_id: Set(Some(Uuid::new_v4())),
            created_at: Set(self.clock.now()),
            updated_at: Set(self.clock.now()),
            ..Default::default()
        };
        Ok(tenant.insert(&self.database).await?)
    }

    pub async fn subscription(&self, tenant: &tenant::Model, name: &str) -> Result<subscription::Model> {
        let subscription = subscription::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(tenant.organization_id),
            tenant_id: Set(tenant.id),
            azure_subscription_id: Set(Uuid::new_v4()),
            display_name: Set(name.to_owned()),
            azure_state: Set(AzureState::Enabled),
            access_level: Set(AccessLevel::ReadTags),
            resource_count: Set(0),
            scanned_at: Set(Some(self.clock.now())),
            stale: Set(None),
            created_at: Set(self.clock.now()),
            updated_at: Set(self.clock.now()),
            ..Default::default()
        };
        Ok(subscription.insert(&self.database).await?)
    }

    pub async fn role_assignment(&self, subscription: &subscription::Model) -> Result<()> {
        let scope = format!("/subscriptions/{}", subscription.azure_subscription_id);
        let assignment = role_assignment::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(subscription.organization_id),
            subscription_id: Set(subscription.id),
            arm_id: Set(format!("{scope}/{}", Uuid::new_v4())),
            role_definition_id: Set(microsoft::Role::Reader.definition_id()),
            principal_id: Set(Uuid::new_v4()),
            scope: Set(scope),
            origin: Set(role_assignment::Origin::Ours),
            created_at: Set(self.clock.now()),
            verified_at: Set(Some(self.clock.now())),
        };
        assignment.insert(&self.database).await?;
        Ok(())
    }

    /// Stores `given`, each seen a second after the one before it, and changed in the opposite order.
    pub async fn resources(&self, subscription: &subscription::Model, given: &[Given]) -> Result<()> {
        let start = self.clock.now();
        let rows = (0..).zip(given).map(|(index, given)| {
            let arm_id =
                format!("/subscriptions/{}/{}/{index}", subscription.azure_subscription_id, given.name);
            let tags: BTreeMap<_, _> =
                given.tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let tags = Tags(tags);
            resource::ActiveModel {
                id: Set(resource::id_of(subscription.id, &arm_id)),
                organization_id: Set(subscription.organization_id),
                subscription_id: Set(subscription.id),
                arm_id: Set(arm_id),
                name: Set(given.name.to_owned()),
                resource_type: Set(given.resource_type.to_owned()),
                kind: Set(None),
                location: Set(Some(given.location.to_owned())),
                resource_group: Set(given.group.to_owned()),
                sku: Set(None),
                managed_by: Set(None),
                tag_terms: Set(tags.terms()),
                tags: Set(tags),
                content_hash: Set(0),
                azure_created_at: Set(None),
                azure_changed_at: Set(None),
                first_seen_at: Set(start + TimeDelta::seconds(index)),
                changed_at: Set(start - TimeDelta::seconds(index / 2)),
                deleted_at: Set(given.deleted.then_some(start)),
                scope: Set(resource::ResourceScope::Resource),
                last_seen_at: Set(None),
            }
        });
        for chunk in rows.collect::<Vec<_>>().chunks(500) {
            resource::Entity::insert_many(chunk.to_vec()).exec_without_returning(&self.database).await?;
        }
        Ok(())
    }

    pub async fn consent(&self, viewer: Viewer, tenant: &tenant::Model) -> Result<consent::Model> {
        let id = Uuid::now_v7();
        let consent = consent::ActiveModel {
            id: Set(id),
            organization_id: Set(viewer.organization_id),
            member_id: Set(viewer.member_id),
            kind: Set(consent::Kind::Azure),
            entra_tenant_id: Set(tenant.entra_tenant_id),
            tenant_id: Set(Some(tenant.id)),
            state: Set(consent::State::Closed),
            failure: Set(None),
            state_hash: Set(consent::hash(&id.to_string())),
            browser_hash: Set(None),
            sealed_request: Set(None),
            sealed_token: Set(None),
            consenting_user_id: Set(None),
            created_at: Set(self.clock.now()),
            expires_at: Set(self.clock.now() + consent::STATE_LIFETIME),
            granted_at: Set(Some(self.clock.now())),
            window_closes_at: Set(Some(self.clock.now() + consent::WINDOW)),
            erased_at: Set(Some(self.clock.now())),
            ..Default::default()
        };
        Ok(consent.insert(&self.database).await?)
    }

    /// An onboarding in this state, by a consent of its own, without steps.
    pub async fn onboarding(
        &self,
        viewer: Viewer,
        tenant: &tenant::Model,
        state: operation::State,
    ) -> Result<operation::Model> {
        let consent = self.consent(viewer, tenant).await?;
        let now = self.clock.now();
        let operation = operation::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(viewer.organization_id),
            tenant_id: Set(tenant.id),
            consent_id: Set(Some(consent.id)),
            member_id: Set(viewer.member_id),
            kind: Set(operation::Kind::OnboardTenant),
            state: Set(state),
            discovered: Set(true),
            failure: Set(None),
            cancel_requested_at: Set(None),
            created_at: Set(now),
            started_at: Set(Some(now)),
            finished_at: Set(state.is_final().then_some(now)),
            deadline_at: Set(now + TimeDelta::hours(6)),
            heartbeat_at: Set(now),
            ..Default::default()
        };
        Ok(operation.insert(&self.database).await?)
    }

    /// A step that has ended: scanned, or as `outcome` and `failure` say.
    pub async fn step(
        &self,
        operation: &operation::Model,
        subscription: &subscription::Model,
        outcome: Option<operation_step::Outcome>,
        failure: Option<entity::Failure>,
    ) -> Result<operation_step::Model> {
        let step = operation_step::ActiveModel {
            id: Set(Uuid::now_v7()),
            organization_id: Set(operation.organization_id),
            operation_id: Set(operation.id),
            subscription_id: Set(subscription.id),
            state: Set(operation_step::State::Done),
            outcome: Set(outcome),
            scanned: Set(failure.is_none()),
            failure: Set(failure),
            resources_seen: Set(10),
            resources_written: Set(4),
            resources_deleted: Set(1),
            assigned_at: Set(Some(self.clock.now())),
            updated_at: Set(self.clock.now()),
            ..Default::default()
        };
        Ok(step.insert(&self.database).await?)
    }

    /// The operation's row as it is now.
    pub async fn row(&self, operation: &operation::Model) -> Result<operation::Model> {
        let found = operation::Entity::owned_by(operation.organization_id)
            .filter(operation::Column::Id.eq(operation.id))
            .one(&self.database)
            .await?;
        found.context("the operation is gone")
    }

    /// The rows of the operation's steps as they are now, by subscription.
    pub async fn steps(&self, operation: &operation::Model) -> Result<BTreeMap<Uuid, operation_step::Model>> {
        let steps = operation_step::Entity::owned_by(operation.organization_id)
            .filter(operation_step::Column::OperationId.eq(operation.id))
            .all(&self.database)
            .await?;
        Ok(steps.into_iter().map(|step| (step.subscription_id, step)).collect())
    }
}

/// A cloud at an address where nobody listens.
fn nobody_there() -> Result<microsoft::Settings> {
    let nobody = Url::parse("http://127.0.0.1:1/")?;
    Ok(microsoft::Settings {
        login_url: nobody.clone(),
        arm_url: nobody.clone(),
        graph_url: nobody.clone(),
        consumption_url: nobody,
        report_hosts: microsoft::ReportHosts::default(),
        client_id: Uuid::nil().to_string(),
        client_secret: SecretString::from("nobody asks for it"),
        redirect_uri: Url::parse("http://tenantry.example/consent/callback")?,
    })
}
