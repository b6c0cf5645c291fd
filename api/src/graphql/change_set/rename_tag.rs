//! The mutation `renameTag`: lets a tag of resources have another name.

use async_graphql::{Context, InputObject, Object};

use super::ChangeSetPayload;
use super::plan::{Then, plan};
use super::selection::ResourceSelection;
use super::wish::{TagRenamingInput, wish};

/// Which tag, at which resources, and its new name.
#[derive(InputObject)]
#[graphql(name = "RenameTagInput")]
pub struct RenameTagInput {
    /// The resources.
    selection: ResourceSelection,
    /// Which tag, and its new name.
    renaming: TagRenamingInput,
    /// What the change set is called; the names of the tags by default.
    title: Option<String>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RenameTag;

#[Object(name = "RenameTagMutation")]
impl RenameTag {
    /// Lets a tag of resources have another name, and keep its value: plans a change set and, if no write of it would fail, begins to write it. Where some
    /// would fail nothing is written, and the change set is there to be reviewed. The old name is removed only after the
    /// new one was written; a resource that has a tag of the new name with another value is left alone. Needs the role `EDITOR`, or the scope
    /// `tags:write`.
    /// `userErrors`: `INVALID_SELECTION`, `NOT_FOUND`, `CONFIRMATION_NEEDED`, `SELECTION_CHANGED`, `INVALID_TAGS`,
    /// `INVALID_NAME`, `NOTHING_TO_CHANGE`, `HAS_PROBLEMS`.
    async fn rename_tag(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tag, at which resources, and its new name.")] input: RenameTagInput,
    ) -> Option<ChangeSetPayload> {
        let wish = wish(Vec::new(), Vec::new(), vec![input.renaming]);
        let planned = plan(ctx, &input.selection, wish, input.title, Then::Apply).await;
        ChangeSetPayload::of(ctx, planned, input.client_mutation_id)
    }
}
