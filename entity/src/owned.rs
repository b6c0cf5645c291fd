//! Finders that cannot be had without the owner.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

/// An entity whose every row belongs to one organization.
pub trait Owned: EntityTrait {
    /// The column that holds the organization's id.
    const ORGANIZATION: Self::Column;

    /// Of `rows`, those that `holder`, who is limited by its [reach](crate::reach), reaches.
    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self>;

    /// The rows of one organization: the start of every query made for a viewer or a job.
    fn owned_by(organization_id: Uuid) -> Select<Self> {
        Self::find().filter(Self::ORGANIZATION.eq(organization_id))
    }
}
