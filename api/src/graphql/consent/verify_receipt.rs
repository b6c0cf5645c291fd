//! The query `verifyReceipt`: whether a receipt that somebody shows was signed here, and is unaltered.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use entity::consent;
use entity::receipt::{self, ReceiptKey, Statement, Unsound};
use sea_orm::{ColumnTrait, DbErr, QueryFilter};

use crate::graphql::ids::Kind;
use crate::graphql::int;
use crate::graphql::scope::{Scope, internal};
use crate::permission::Permission;

/// What is the matter with a receipt.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(name = "ReceiptStatus")]
pub enum ReceiptStatus {
    /// It was signed here, nothing of it was altered, and it is final.
    Valid,
    /// It was signed here and nothing of it was altered, but calls may have been added since.
    NotFinal,
    /// Something of it was altered, added, removed or moved after it was signed.
    Altered,
    /// It was not signed here, or is about nothing that you reach.
    NotOurs,
    /// Its end is missing.
    Incomplete,
    /// It is no receipt.
    NotRecognized,
}

/// What is the matter with a receipt, and what was signed.
#[derive(SimpleObject)]
#[graphql(name = "ReceiptVerification")]
pub struct ReceiptVerification {
    /// What is the matter with it.
    status: ReceiptStatus,
    /// The same in words, with what to do.
    message: String,
    /// The consent that it is about; null unless its signature is right.
    consent_id: Option<ID>,
    /// How many calls were signed; null unless the signature is right.
    call_count: Option<i32>,
    /// Whether the calls were shown too, and are the ones that were signed.
    includes_calls: bool,
    /// SHA-256 of the calls as lines of canonical JSON (RFC 8785), each with a line feed at its end.
    calls_sha256: Option<String>,
    /// SHA-256 of the CSV file that belongs to it.
    csv_sha256: Option<String>,
}

/// The query of this file.
#[derive(Default)]
pub struct VerifyReceipt;

#[Object(name = "ReceiptQuery")]
impl VerifyReceipt {
    /// Whether a receipt was signed here and is unaltered. What is shown is never stored or logged. Of a receipt that
    /// is larger than a request may be, show the signed statement alone, and compare the SHA-256. Needs the role
    /// `VIEWER`, or the scope `consents:read`.
    async fn verify_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The JSON as it was downloaded, or the signed statement alone.")] receipt: String,
    ) -> Result<ReceiptVerification> {
        let scope = Scope::of(ctx, Permission::ReadConsents)?;
        verify(scope, &receipt).await.map_err(|error| internal(&error))
    }
}

/// Another organization's is told as one that was signed elsewhere.
async fn verify(scope: Scope<'_>, shown: &str) -> Result<ReceiptVerification, DbErr> {
    let read = receipt::read(shown, &ReceiptKey::of(&scope.services.keyring));
    let (statement, includes_calls) = match read {
        Ok(read) => (read.statement, read.includes_calls),
        Err(unsound) => return Ok(ReceiptVerification::unsound(unsound)),
    };
    if !is_reached(scope, &statement).await? {
        return Ok(ReceiptVerification::unsound(Unsound::OtherKey));
    }
    Ok(ReceiptVerification::sound(&statement, includes_calls))
}

/// Whether the viewer may read the receipt that this statement is of. What was signed outlives the rows, so they are
/// asked only for whoever is limited.
async fn is_reached(scope: Scope<'_>, statement: &Statement) -> Result<bool, DbErr> {
    let viewer = scope.viewer;
    if viewer.limited_by.is_none() || !statement.is_of(viewer.organization_id) {
        return Ok(statement.is_of(viewer.organization_id));
    }
    let Some(id) = statement.consent_id() else { return Ok(false) };
    let found = consent::Entity::with_receipt(viewer.organization_id, viewer.limited_by)
        .filter(consent::Column::Id.eq(id))
        .one(scope.database())
        .await?;
    Ok(found.is_some())
}

impl ReceiptVerification {
    fn unsound(unsound: Unsound) -> Self {
        let (status, message) = match unsound {
            Unsound::Altered => (
                ReceiptStatus::Altered,
                "Something of this receipt was altered, added, removed or moved after it was signed. Do not rely on \
                 it: download it again.",
            ),
            Unsound::OtherKey => (
                ReceiptStatus::NotOurs,
                "This receipt was not signed by this installation for what you reach. Its `iss` says who claims to \
                 have signed it: check it there.",
            ),
            Unsound::Incomplete => (
                ReceiptStatus::Incomplete,
                "The end of this receipt is missing. Copy it again, in full, or download it again.",
            ),
            Unsound::NotRecognized => (
                ReceiptStatus::NotRecognized,
                "This is no receipt. Show the JSON as it was downloaded, or the signed statement, which begins with \
                 `eyJ`.",
            ),
        };
        Self {
            status,
            message: message.to_owned(),
            consent_id: None,
            call_count: None,
            includes_calls: false,
            calls_sha256: None,
            csv_sha256: None,
        }
    }

    fn sound(statement: &Statement, includes_calls: bool) -> Self {
        let (status, finality) = if statement.is_final {
            (ReceiptStatus::Valid, "and is final")
        } else {
            let finality = "but its window was still open, or had closed less than two minutes before: download it \
                            again for the rest";
            (ReceiptStatus::NotFinal, finality)
        };
        let calls = if includes_calls {
            "So are all calls in it."
        } else {
            "The calls are not in it: compare the SHA-256 of the file that has them."
        };
        Self {
            status,
            message: format!("The signed statement is unaltered, {finality}. {calls}"),
            consent_id: statement.consent_id().map(|id| Kind::Consent.id(id)),
            call_count: Some(int(i64::try_from(statement.call_count).unwrap_or(i64::MAX))),
            includes_calls,
            calls_sha256: Some(statement.calls_sha256.clone()),
            csv_sha256: Some(statement.csv_sha256.clone()),
        }
    }
}
