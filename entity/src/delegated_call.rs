//! A call that was made while impersonating a consenting user: one line of the consent's receipt.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, Select};

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Outcome {
    /// About to be sent, or sent; if it stays so, nobody knows whether it arrived.
    #[sea_orm(string_value = "UNKNOWN")]
    Unknown,
    /// Microsoft did what was asked.
    #[sea_orm(string_value = "SUCCEEDED")]
    Succeeded,
    /// Microsoft refused.
    #[sea_orm(string_value = "REFUSED")]
    Refused,
    /// Microsoft asked for the call to be made later.
    #[sea_orm(string_value = "THROTTLED")]
    Throttled,
    /// Microsoft did not answer, or said that something broke.
    #[sea_orm(string_value = "NOT_ANSWERED")]
    NotAnswered,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delegated_call")]
pub struct Model {
    /// Our id, and the `x-ms-client-request-id` that was sent.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The consent whose token was used.
    pub consent_id: Uuid,
    /// The HTTP method.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// When it was about to be sent.
    pub begun_at: DateTimeUtc,
    /// When the answer was there, or the wait for it was over.
    pub ended_at: Option<DateTimeUtc>,
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status of the answer.
    pub status: Option<i32>,
    /// Microsoft's own code of a refusal.
    pub microsoft_code: Option<String>,
    /// Microsoft's id of the request.
    pub microsoft_request_id: Option<String>,
    /// The correlation id that was sent; Azure's Activity Log shows it.
    pub correlation_id: Uuid,
}

impl Entity {
    /// The calls of a consent, in the order in which they were begun.
    pub fn of_consent(organization_id: Uuid, consent_id: Uuid) -> Select<Self> {
        <Self as super::Owned>::owned_by(organization_id)
            .filter(Column::ConsentId.eq(consent_id))
            .order_by_asc(Column::Id)
    }
}

/// A call's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::whole_consents(Column::ConsentId, holder))
    }
}
