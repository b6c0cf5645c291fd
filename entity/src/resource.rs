//! A resource: an ARM resource, as inventoried.

use sea_orm::entity::prelude::*;

use crate::tags::{TagTerms, Tags};

/// What a row is about: everything that takes tags is inventoried alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum ResourceScope {
    /// A resource.
    #[default]
    #[sea_orm(string_value = "RESOURCE")]
    Resource,
    /// A resource group.
    #[sea_orm(string_value = "RESOURCE_GROUP")]
    ResourceGroup,
    /// A subscription.
    #[sea_orm(string_value = "SUBSCRIPTION")]
    Subscription,
}

impl ResourceScope {
    /// What the type, in lower case, is the type of.
    pub fn of_type(resource_type: &str) -> Self {
        match resource_type {
            "microsoft.resources/subscriptions" => Self::Subscription,
            "microsoft.resources/resourcegroups" => Self::ResourceGroup,
            _ => Self::Resource,
        }
    }
}

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
    /// What it is about.
    pub scope: ResourceScope,
    /// When the last complete scan that saw it ended; none while it is there.
    pub last_seen_at: Option<DateTimeUtc>,
}

impl Entity {
    /// Resources that are known by their ids, for whoever stores them.
    pub fn by_ids(ids: impl IntoIterator<Item = Uuid>) -> Select<Self> {
        Self::find().filter(Column::Id.is_in(ids))
    }
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
