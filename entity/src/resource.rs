//! A resource: an ARM resource, as inventoried.

use sea_orm::entity::prelude::*;

use crate::tags::{TagTerms, Tags};

/// One resource. Its id is derived from its subscription and its ARM id ([`id_of`]): the same resource
/// is the same row in every scan, also after it was deleted and created again, and no look-up is needed
/// to store it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "resource")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The subscription it belongs to.
    pub subscription_id: Uuid,
    /// Azure's id, in Azure's case. Compares case-insensitively.
    pub arm_id: String,
    /// Its name, in Azure's case.
    pub name: String,
    /// Its type, in lower case.
    pub resource_type: String,
    /// Its kind.
    pub kind: Option<String>,
    /// Its location.
    pub location: Option<String>,
    /// The name of its resource group.
    pub resource_group: String,
    /// The name of its SKU.
    pub sku: Option<String>,
    /// The ARM id of what manages it.
    pub managed_by: Option<String>,
    /// Its tags as Azure has them.
    #[sea_orm(column_type = "JsonBinary")]
    pub tags: Tags,
    /// By what its tags are found.
    #[sea_orm(column_type = "JsonBinary")]
    pub tag_terms: TagTerms,
    /// Hash of everything Azure told of it: equal means unchanged.
    pub content_hash: i64,
    /// When it was created in Azure, where the source of the scan says so.
    pub azure_created_at: Option<DateTimeUtc>,
    /// When it last changed in Azure, where the source of the scan says so.
    pub azure_changed_at: Option<DateTimeUtc>,
    /// When a scan first saw it.
    pub first_seen_at: DateTimeUtc,
    /// When a scan last saw a change of it.
    pub changed_at: DateTimeUtc,
    /// When a complete scan no longer saw it.
    pub deleted_at: Option<DateTimeUtc>,
}

/// The id of the resource `arm_id` in our subscription `subscription_id`.
pub fn id_of(subscription_id: Uuid, arm_id: &str) -> Uuid {
    Uuid::new_v5(&subscription_id, arm_id.to_lowercase().as_bytes())
}

/// A resource's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::SubscriptionId, holder))
    }
}
