//! A change of a resource: of one field, or of one tag.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Select};

use crate::resource;
use crate::tags::name_term;

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Field {
    /// A tag.
    #[sea_orm(string_value = "TAG")]
    Tag,
    /// The name.
    #[sea_orm(string_value = "NAME")]
    Name,
    /// The kind.
    #[sea_orm(string_value = "KIND")]
    Kind,
    /// The location.
    #[sea_orm(string_value = "LOCATION")]
    Location,
    /// The SKU.
    #[sea_orm(string_value = "SKU")]
    Sku,
    /// What manages it.
    #[sea_orm(string_value = "MANAGED_BY")]
    ManagedBy,
    /// Whether it is there.
    #[sea_orm(string_value = "DELETED")]
    Deleted,
}

/// Who changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Origin {
    /// Somebody or something in Azure.
    #[sea_orm(string_value = "AZURE")]
    Azure,
    /// A member, here.
    #[sea_orm(string_value = "PORTAL")]
    Portal,
    /// An Azure policy, right when a member changed it here.
    #[sea_orm(string_value = "POLICY")]
    Policy,
}

/// One change. A value of none is one that is not there.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "resource_change")]
pub struct Model {
    /// Our id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The organization it belongs to.
    pub organization_id: Uuid,
    /// The subscription of the resource.
    pub subscription_id: Uuid,
    /// The resource.
    pub resource_id: Uuid,
    /// When it was seen, or made.
    pub at: DateTimeUtc,
    /// What has changed.
    pub field: Field,
    /// The tag's name, if it is a tag.
    pub tag_name: Option<String>,
    /// The value before.
    pub before: Option<String>,
    /// The value since.
    pub after: Option<String>,
    /// Who changed it.
    pub origin: Origin,
    /// The change set that changed it.
    pub change_set_id: Option<Uuid>,
    /// The member who planned that.
    pub member_id: Option<Uuid>,
}

impl Entity {
    /// The `most` oldest changes of every organization that were seen before `cutoff`.
    pub fn older_than(cutoff: DateTime<Utc>, most: u64) -> Select<Self> {
        Self::find().filter(Column::At.lt(cutoff)).order_by_asc(Column::At).limit(most)
    }
}

/// Everything that differs between two sights of a resource, as somebody in Azure changed it. The case of a tag's name
/// is no difference.
pub fn between(before: &resource::Model, after: &resource::Model, at: DateTime<Utc>) -> Vec<Model> {
    let is_deleted = |of: &resource::Model| of.deleted_at.map(|_| "true".to_owned());
    let fields = [
        (Field::Name, Some(before.name.clone()), Some(after.name.clone())),
        (Field::Kind, before.kind.clone(), after.kind.clone()),
        (Field::Location, before.location.clone(), after.location.clone()),
        (Field::Sku, before.sku.clone(), after.sku.clone()),
        (Field::ManagedBy, before.managed_by.clone(), after.managed_by.clone()),
        (Field::Deleted, is_deleted(before), is_deleted(after)),
    ];
    let mut changes: Vec<Model> = fields
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, now)| Model { field, before, after: now, ..of(after, at) })
        .collect();
    let names = before.tags.0.keys().chain(after.tags.0.keys());
    let names: BTreeSet<String> = names.map(|name| name_term(name)).collect();
    for folded in names {
        let (was, is) = (before.tags.find(&folded), after.tags.find(&folded));
        if was.map(|(_, value)| value) != is.map(|(_, value)| value) {
            changes.push(Model {
                tag_name: is.or(was).map(|(name, _)| name.to_owned()),
                before: was.map(|(_, value)| value.to_owned()),
                after: is.map(|(_, value)| value.to_owned()),
                ..of(after, at)
            });
        }
    }
    changes
}

/// A change of a tag of `resource` that says nothing yet.
fn of(resource: &resource::Model, at: DateTime<Utc>) -> Model {
    Model {
        id: Uuid::now_v7(),
        organization_id: resource.organization_id,
        subscription_id: resource.subscription_id,
        resource_id: resource.id,
        at,
        field: Field::Tag,
        tag_name: None,
        before: None,
        after: None,
        origin: Origin::Azure,
        change_set_id: None,
        member_id: None,
    }
}

/// That a resource is not there any more.
pub fn deletion(organization_id: Uuid, subscription_id: Uuid, resource_id: Uuid, at: DateTime<Utc>) -> Model {
    Model {
        id: Uuid::now_v7(),
        organization_id,
        subscription_id,
        resource_id,
        at,
        field: Field::Deleted,
        tag_name: None,
        before: None,
        after: Some("true".to_owned()),
        origin: Origin::Azure,
        change_set_id: None,
        member_id: None,
    }
}

/// A change's relations are reached by id.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl super::Owned for Entity {
    const ORGANIZATION: Column = Column::OrganizationId;

    fn within(rows: Select<Self>, holder: Uuid) -> Select<Self> {
        rows.filter(crate::reach::subscriptions(Column::SubscriptionId, holder))
    }
}
