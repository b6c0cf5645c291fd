//! A report: an Office 365 usage report snapshot. Its totals are kept for good, its rows until a newer one has come.

use sea_orm::Select;
use sea_orm::entity::prelude::*;

use super::{Figures, Kind};

/// One report.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "report")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The tenant.
    pub tenant_id: Uuid,
    /// What it is about.
    pub kind: Kind,
    /// The period it counts over, in days.
    pub period: i32,
    /// Its report refresh date: the last day that its figures cover.
    pub refreshed_on: Date,
    /// When it was fetched.
    pub fetched_at: DateTimeUtc,
    /// Rows that were read.
    pub rows: i64,
    /// Rows that could not be read.
    pub refused: i64,
    /// Whether its names are concealed; none: it has no names.
    pub conceals_names: Option<bool>,
    /// What its rows add up to.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub totals: Option<Figures>,
}

/// The id of a report.
pub fn id_of(tenant_id: Uuid, kind: Kind, period: i32, refreshed_on: Date) -> Uuid {
    let name = format!("report:{}:{period}:{refreshed_on}", sea_orm::ActiveEnum::to_value(&kind));
    Uuid::new_v5(&tenant_id, name.as_bytes())
}

/// Its relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl crate::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::whole_tenants(Column::TenantId, holder))
    }
}
