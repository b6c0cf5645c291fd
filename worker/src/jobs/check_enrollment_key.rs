//! Asks Microsoft whether it takes an enrollment key, and writes down how the key stands.

use entity::audit_event::{Action, Actor, Author, ObjectKind, Record};
use entity::enrollment_key::secret::NotAKey;
use entity::enrollment_key::{self, Column, EnrollmentKeySecret, State};
use entity::{Failure, Owned};
use microsoft::MicrosoftError;
use sea_orm::{ActiveEnum, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::context::Context;
use crate::failures;
use crate::job::{Job, JobError};
use crate::{audit, keys, transaction};

/// One check of one enrollment key. Checking again does no harm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckEnrollmentKey {
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The enrollment key.
    pub enrollment_key_id: Uuid,
}

impl CheckEnrollmentKey {
    /// The job that checks `key`.
    pub fn of(key: &enrollment_key::Model) -> Self {
        Self { organization_id: key.organization_id, enrollment_key_id: key.id }
    }

    async fn find(&self, context: &Context) -> Result<Option<enrollment_key::Model>, DbErr> {
        enrollment_key::Entity::owned_by(self.organization_id)
            .filter(Column::Id.eq(self.enrollment_key_id))
            .one(&context.database)
            .await
    }
}

impl Job for CheckEnrollmentKey {
    const NAME: &'static str = "check-enrollment-key";
    const CONCURRENCY: usize = 4;
    const MAX_ATTEMPTS: u32 = 3;
    type Context = Context;

    fn key(&self) -> String {
        self.enrollment_key_id.to_string()
    }

    async fn run(&self, context: &Context) -> Result<(), JobError> {
        let Some(row) = self.find(context).await? else { return Ok(()) };
        let sealed = &row.sealed_key;
        let opened = keys::open_text(&context.database, &context.keyring, sealed, &row.row()).await;
        let pasted = opened.map_err(|error| {
            JobError::Fail(anyhow::Error::new(error).context("opening the enrollment key"))
        })?;
        match EnrollmentKeySecret::read(&pasted) {
            Ok(key) => check(context, &row, &key).await,
            Err(NotAKey::Incomplete | NotAKey::AnotherKind) => stands(context, &row, State::Incomplete).await,
        }
    }

    async fn give_up(&self, context: &Context, why: &anyhow::Error) -> Result<(), anyhow::Error> {
        if let Some(row) = self.find(context).await? {
            let failure = match why.downcast_ref::<MicrosoftError>() {
                Some(error) => failures::enrollment_key_not_checked(error),
                None => failures::of_job(why),
            };
            could_not_say(context, &row, failure).await?;
        }
        Ok(())
    }
}

async fn check(
    context: &Context,
    row: &enrollment_key::Model,
    key: &EnrollmentKeySecret,
) -> Result<(), JobError> {
    let now = context.clock.now();
    if key.expires_at() <= now {
        return stands(context, row, State::Expired).await;
    }
    let consumption = context.microsoft.consumption();
    match consumption.check_key(&row.enrollment_number, key.secret()).await {
        Ok(()) if key.expires_at() - enrollment_key::WARNING <= now => {
            stands(context, row, State::ExpiresSoon).await
        }
        Ok(()) => stands(context, row, State::Connected).await,
        Err(MicrosoftError::TokenExpired { .. } | MicrosoftError::InteractionRequired { .. }) => {
            stands(context, row, State::Revoked).await
        }
        Err(MicrosoftError::Forbidden { .. }) => stands(context, row, State::InsufficientRole).await,
        Err(error) => {
            // Waiting as long as Microsoft asks is not failing, so nobody gives that up: it is told meanwhile.
            if !error.retryable() || error.retry_after().is_some() {
                could_not_say(context, row, failures::enrollment_key_not_checked(&error)).await?;
            }
            if error.retryable() { Err(error.into()) } else { Ok(()) }
        }
    }
}

/// What the check found.
async fn stands(context: &Context, row: &enrollment_key::Model, state: State) -> Result<(), JobError> {
    let found = enrollment_key::ActiveModel {
        state: Set(Some(state)),
        failure: Set(None),
        checked_at: Set(Some(context.clock.now())),
        ..Default::default()
    };
    let transaction = transaction::begin(&context.database).await?;
    let is_ours = update(context, &transaction, row, found).await?;
    if is_ours && row.state != Some(state) {
        let told = |state: Option<State>| json!({ "state": state.map(|state| state.to_value()) });
        let record = Record::of(Action::EnrollmentKeyChecked, ObjectKind::EnrollmentKey, row.id)
            .before(told(row.state))
            .after(told(Some(state)));
        let author = Author::unasked(row.organization_id, Actor::System);
        audit::append(&transaction, &context.keyring, context.clock.now(), &author, record).await?;
    }
    transaction.commit().await?;
    tracing::info!(enrollment_key.id = %row.id, ?state, "enrollment key checked");
    Ok(())
}

/// The check found nothing: the state stays as it was.
async fn could_not_say(
    context: &Context,
    row: &enrollment_key::Model,
    failure: Failure,
) -> Result<(), DbErr> {
    let failed = enrollment_key::ActiveModel { failure: Set(Some(failure)), ..Default::default() };
    update(context, &context.database, row, failed).await.map(drop)
}

/// Whether the key is still the one that was checked: another that was registered in its place meanwhile has a
/// check of its own.
async fn update(
    context: &Context,
    database: &impl ConnectionTrait,
    row: &enrollment_key::Model,
    mut changes: enrollment_key::ActiveModel,
) -> Result<bool, DbErr> {
    changes.updated_at = Set(context.clock.now());
    let updated = enrollment_key::Entity::update_many()
        .set(changes)
        .filter(Column::OrganizationId.eq(row.organization_id))
        .filter(Column::Id.eq(row.id))
        .filter(Column::SealedKey.eq(row.sealed_key.clone()))
        .exec(database)
        .await?;
    Ok(updated.rows_affected == 1)
}
