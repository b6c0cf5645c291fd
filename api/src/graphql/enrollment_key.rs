//! An enrollment key: an Azure EA API access key that an administrator registered.

pub(super) mod advice;
mod check_enrollment_key;
mod enrollment_keys;
mod register_enrollment_key;
mod remove_enrollment_key;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};
use entity::enrollment_key;
use sea_orm::{ColumnTrait, QueryFilter, Select};
use uuid::Uuid;
use worker::jobs::CheckEnrollmentKey as Check;
use worker::queue::When;

pub use check_enrollment_key::CheckEnrollmentKey;
pub use enrollment_keys::EnrollmentKeys;
pub use register_enrollment_key::RegisterEnrollmentKey;
pub use remove_enrollment_key::RemoveEnrollmentKey;

use super::batch::Batch;
use super::failure::Failure;
use super::ids::Kind;
use super::member::Member;
use super::scalars::DateTime;
use super::scope::Scope;
use super::stored::{Identified, Row, Stored};
use super::user_error::{UserError, UserErrorCode};
use crate::permission::Permission;

/// How an enrollment key stands.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "EnrollmentKeyState", remote = "entity::enrollment_key::State")]
pub enum EnrollmentKeyState {
    /// Microsoft takes it.
    Connected,
    /// Microsoft takes it, for 30 more days at most.
    ExpiresSoon,
    /// A part of it is missing.
    Incomplete,
    /// Past its expiry.
    Expired,
    /// Microsoft refuses it although it has not expired.
    Revoked,
    /// Whoever made it may not read the enrollment.
    InsufficientRole,
}

/// An enrollment key.
pub struct EnrollmentKey {
    row: enrollment_key::Model,
    siblings: Arc<Siblings>,
}

struct Siblings {
    members: Batch<Member>,
}

impl Stored for EnrollmentKey {
    type Entity = enrollment_key::Entity;
    const READ: Permission = Permission::ReadEnrollmentKeys;
    const ID: enrollment_key::Column = enrollment_key::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        let siblings = Arc::new(Siblings { members: Batch::of(rows.iter().map(|row| row.created_by)) });
        rows.into_iter().map(|row| Self { row, siblings: Arc::clone(&siblings) }).collect()
    }
}

impl Identified for EnrollmentKey {
    const KIND: Kind = Kind::EnrollmentKey;
}

impl EnrollmentKey {
    fn state_now(&self, ctx: &Context<'_>) -> Result<Option<enrollment_key::State>> {
        let scope = Scope::of(ctx, Permission::ReadEnrollmentKeys)?;
        Ok(self.row.state_at(scope.services.clock.now()))
    }
}

/// An Azure EA API access key, by which the charges of an enrollment are read. The key itself is never shown.
/// Needs the role `ADMIN`, or the scope `enrollment-keys:read`.
#[Object(name = "EnrollmentKey")]
impl EnrollmentKey {
    /// Its id. It stays when another key is registered for the same enrollment.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.row.id)
    }

    /// The number of the enrollment.
    async fn enrollment_number(&self) -> &str {
        &self.row.enrollment_number
    }

    /// How the key ends, to tell it by.
    async fn hint(&self) -> String {
        format!("…{}", self.row.last_four)
    }

    /// How it stands; null: it was not checked yet. It is checked when it is registered, when asked for, and
    /// every day.
    async fn state(&self, ctx: &Context<'_>) -> Option<EnrollmentKeyState> {
        super::scope::or_null(ctx, self.state_now(ctx)).map(Into::into)
    }

    /// A sentence that says what to do; null: nothing.
    async fn message(&self, ctx: &Context<'_>) -> Option<String> {
        let state = super::scope::or_null(ctx, self.state_now(ctx))?;
        advice::on(state, self.row.expires_at)
    }

    /// Why the last check could not say how it stands: then the state is that of the check before.
    async fn failure(&self) -> Option<Failure> {
        Failure::of(self.row.failure.as_ref())
    }

    /// When it expires.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(Into::into)
    }

    /// When it was last checked with Microsoft; null: not yet.
    async fn checked_at(&self) -> Option<DateTime> {
        self.row.checked_at.map(Into::into)
    }

    /// The member who registered it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<&Member> {
        self.siblings.members.one(Scope::of(ctx, Permission::ReadMembers)?, self.row.created_by).await
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }
}

/// The row of this id, if the viewer can see it.
fn by_id(scope: Scope<'_>, id: Uuid) -> Select<enrollment_key::Entity> {
    scope.owned::<enrollment_key::Entity>().filter(enrollment_key::Column::Id.eq(id))
}

fn not_found() -> UserError {
    let message = "There is no such enrollment key in your organization.";
    UserError::new(UserErrorCode::NotFound, "enrollmentKeyId", message)
}

/// Has a worker check the key.
async fn ring(scope: Scope<'_>, key: &enrollment_key::Model) {
    // The row is stored: should the bell be lost, the sweep rings it.
    if let Err(error) = scope.services.queue.push(&Check::of(key), When::default()).await {
        tracing::warn!(enrollment_key.id = %key.id, %error, "the bell was not rung");
    }
}
