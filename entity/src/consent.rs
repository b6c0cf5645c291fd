//! A consent: one grant by a consenting user, with a window.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Select};
use sha2::{Digest, Sha256};

use crate::{Failure, Work};

/// How long a person may take between asking for a consent and coming back with it.
pub const STATE_LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Our cap on a consent window, whatever the token's own expiry says.
pub const WINDOW: TimeDelta = TimeDelta::hours(1);

/// What is consented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Kind {
    /// Azure subscriptions, by impersonating the consenting user for the window.
    #[sea_orm(string_value = "AZURE")]
    Azure,
    /// Users, groups and reports of Office 365, by permissions of our service principal: there is no delegated token, and
    /// no window.
    #[sea_orm(string_value = "OFFICE_365")]
    Office365,
}

/// Where a consent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Asked for; nobody has come back yet.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// Somebody came back and the code is being exchanged: the state is spent.
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// Granted; the window is open until `window_closes_at`.
    #[sea_orm(string_value = "GRANTED")]
    Granted,
    /// Refused, cancelled, or not acceptable; `failure` says which.
    #[sea_orm(string_value = "REFUSED")]
    Refused,
    /// The person never came back within [`STATE_LIFETIME`].
    #[sea_orm(string_value = "EXPIRED")]
    Expired,
    /// The window has closed and the delegated token is erased.
    #[sea_orm(string_value = "CLOSED")]
    Closed,
}

/// Why a window closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Closed {
    /// Nothing was left to do that needs it.
    #[sea_orm(string_value = "WORK_DONE")]
    WorkDone,
    /// Its time was over.
    #[sea_orm(string_value = "TIME_OVER")]
    TimeOver,
    /// Microsoft did not take the delegated token any more: it was revoked, or the password was reset.
    #[sea_orm(string_value = "TOKEN_REFUSED")]
    TokenRefused,
    /// Microsoft asked the consenting user to sign in again, as a policy of the tenant demands.
    #[sea_orm(string_value = "SIGN_IN_DEMANDED")]
    SignInDemanded,
    /// A member closed it.
    #[sea_orm(string_value = "BY_MEMBER")]
    ByMember,
}

/// One consent.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it was asked for.
    pub organization_id: Uuid,
    /// The member who asked.
    pub member_id: Uuid,
    /// What is consented for.
    pub kind: Kind,
    /// Microsoft's id of the tenant asked for.
    pub entra_tenant_id: Uuid,
    /// The tenant, once granted.
    pub tenant_id: Option<Uuid>,
    /// Where it stands.
    pub state: State,
    /// Why it was refused.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub failure: Option<Failure>,
    /// SHA-256 of the state parameter.
    pub state_hash: Vec<u8>,
    /// SHA-256 of the cookie of the browser that went to Microsoft.
    pub browser_hash: Option<Vec<u8>>,
    /// Nonce and PKCE verifier, sealed; erased when the person comes back.
    pub sealed_request: Option<Vec<u8>>,
    /// The delegated token, sealed; erased when the work that needs it ends or the window closes.
    pub sealed_token: Option<Vec<u8>>,
    /// Object id of the consenting user, if Microsoft told it.
    pub consenting_user_id: Option<Uuid>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// Until when the person may come back.
    pub expires_at: DateTimeUtc,
    /// When it was granted.
    pub granted_at: Option<DateTimeUtc>,
    /// When the window closes at the latest.
    pub window_closes_at: Option<DateTimeUtc>,
    /// When the delegated token was erased.
    pub erased_at: Option<DateTimeUtc>,
    /// What it begins once it is granted; none: everything that the consenting user sees is onboarded.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub work: Option<Work>,
    /// Why the window closed.
    pub closed_because: Option<Closed>,
    /// When the last delegated call was made. Time never runs backwards from here, whatever a clock says.
    pub last_call_at: Option<DateTimeUtc>,
    /// The owner link that started it; none: a member did.
    pub owner_link_id: Option<Uuid>,
}

impl Model {
    /// Whether the delegated token may be used at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.remaining(now) > TimeDelta::zero()
    }

    /// How much of the window is left at `now`.
    pub fn remaining(&self, now: DateTime<Utc>) -> TimeDelta {
        // A clock that was set back gives no time back.
        let now = self.last_call_at.map_or(now, |last| last.max(now));
        match self.window_closes_at {
            Some(closes) if self.state == State::Granted && self.sealed_token.is_some() => {
                (closes - now).max(TimeDelta::zero())
            }
            _ => TimeDelta::zero(),
        }
    }

    /// What it begins once it is granted.
    pub fn work(&self) -> Work {
        self.work.clone().unwrap_or(Work::ONBOARD)
    }

    /// What a value sealed for this consent is bound to.
    pub fn row(&self) -> String {
        row(self.id)
    }
}

/// What a value sealed for the consent `id` is bound to.
pub fn row(id: Uuid) -> String {
    format!("consent:{id}")
}

/// How a state parameter or a browser's cookie is kept.
pub fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

impl Entity {
    /// The consent that a state parameter belongs to: the callback has no viewer.
    pub fn by_state(state: &str) -> Select<Self> {
        Self::find().filter(Column::StateHash.eq(hash(state)))
    }

    /// Granted consents of a tenant whose window may be open, the one that closes last first.
    pub fn open_for(organization_id: Uuid, tenant_id: Uuid, now: DateTime<Utc>) -> Select<Self> {
        <Self as super::Owned>::owned_by(organization_id)
            .filter(Column::TenantId.eq(tenant_id))
            .filter(Column::State.eq(State::Granted))
            .filter(Column::WindowClosesAt.gt(now))
            .order_by_desc(Column::WindowClosesAt)
    }

    /// The consents of an organization that have a receipt, for whoever may read that: it tells of every
    /// subscription of the tenant, so `limited_by` has to reach all of them.
    pub fn with_receipt(organization_id: Uuid, limited_by: Option<Uuid>) -> Select<Self> {
        let granted =
            <Self as super::Owned>::owned_by(organization_id).filter(Column::GrantedAt.is_not_null());
        match limited_by {
            Some(holder) => granted.filter(crate::reach::whole_tenants(Column::TenantId, holder)),
            None => granted,
        }
    }

    /// Consents that an owner link started and that nobody came back with yet.
    pub fn pending_of(owner_link_id: Uuid) -> Select<Self> {
        Self::find().filter(Column::OwnerLinkId.eq(owner_link_id)).filter(Column::State.eq(State::Pending))
    }

    /// Consents, of every organization, that nobody came back for.
    pub fn never_returned(now: DateTime<Utc>) -> Select<Self> {
        Self::find()
            .filter(Column::State.is_in([State::Pending, State::Returned]))
            .filter(Column::ExpiresAt.lte(now))
            .order_by_asc(Column::ExpiresAt)
            .limit(1_000)
    }

    /// Granted consents, of every organization, whose window has closed.
    pub fn window_passed(now: DateTime<Utc>) -> Select<Self> {
        Self::find()
            .filter(Column::State.eq(State::Granted))
            .filter(Column::WindowClosesAt.lte(now))
            .order_by_asc(Column::WindowClosesAt)
            .limit(1_000)
    }
}

/// A consent's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::entra_tenants(Column::EntraTenantId, holder))
    }
}
