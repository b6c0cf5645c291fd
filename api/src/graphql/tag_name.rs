//! What is decided about tag names: whether they are kept in sync with Azure, and what happens in conflicts.

mod change_tag_name;
mod tag_name_settings;

use async_graphql::{Enum, ID, Object};
use entity::tag_name;
use uuid::Uuid;

pub use change_tag_name::ChangeTagName;
pub use tag_name_settings::TagNameSettings;

use super::ids::Kind;
use super::scalars::DateTime;
use super::stored::{Identified, Row, Stored};
use crate::permission::Permission;

/// What is done where Azure and a member both changed the same tag, to different values.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "ConflictPolicy", remote = "entity::tags::merge::ConflictPolicy")]
pub enum ConflictPolicy {
    /// What is wanted here is written.
    PortalWins,
    /// What Azure has stays.
    AzureWins,
    /// Neither, until a member decides.
    Ask,
}

/// Whether tags of a name are kept in sync with Azure.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "TagSync", remote = "entity::tag_name::Sync")]
pub enum TagSync {
    /// They are read from Azure and written there.
    On,
    /// They live here only.
    Off,
}

/// What is decided about one name.
pub struct TagNameSetting(tag_name::Model);

impl Stored for TagNameSetting {
    type Entity = tag_name::Entity;
    const READ: Permission = Permission::ReadInventory;
    const ID: tag_name::Column = tag_name::Column::Id;

    fn row_id(row: &Row<Self>) -> Uuid {
        row.id
    }

    fn together(rows: Vec<Row<Self>>) -> Vec<Self> {
        rows.into_iter().map(Self).collect()
    }
}

impl Identified for TagNameSetting {
    const KIND: Kind = Kind::TagName;
}

/// What is decided about a tag name. Needs the role `VIEWER`, or the scope `inventory:read`.
#[Object(name = "TagNameSetting")]
impl TagNameSetting {
    /// Its id.
    pub(super) async fn id(&self) -> ID {
        Self::KIND.id(self.0.id)
    }

    /// The name. Its case does not matter.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether tags of this name are kept in sync with Azure.
    async fn sync(&self) -> TagSync {
        self.0.sync.into()
    }

    /// What happens in their conflicts; null: what the organization says.
    async fn conflict_policy(&self) -> Option<ConflictPolicy> {
        self.0.conflict_policy.map(Into::into)
    }

    /// When that was last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at.into()
    }
}
