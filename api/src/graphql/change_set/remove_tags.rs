//! The mutation `removeTags`: takes tags away from resources.

use async_graphql::{Context, InputObject, Object};

use super::ChangeSetPayload;
use super::plan::{Then, plan};
use super::selection::ResourceSelection;
use super::wish::{TagRemovalInput, wish};

/// Which tags, and from which resources.
#[derive(InputObject)]
#[graphql(name = "RemoveTagsInput")]
pub struct RemoveTagsInput {
    /// The resources.
    selection: ResourceSelection,
    /// The tags that none of them is to have any more.
    tags: Vec<TagRemovalInput>,
    /// What the change set is called; the names of the tags by default.
    title: Option<String>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct RemoveTags;

#[Object(name = "RemoveTagsMutation")]
impl RemoveTags {
    /// Takes tags away from resources: plans a change set and, if no write of it would fail, begins to write it. Where some
    /// would fail nothing is written, and the change set is there to be reviewed. Needs the role `EDITOR`, or the scope
    /// `tags:write`.
    /// `userErrors`: `INVALID_SELECTION`, `NOT_FOUND`, `CONFIRMATION_NEEDED`, `SELECTION_CHANGED`, `INVALID_TAGS`,
    /// `INVALID_NAME`, `NOTHING_TO_CHANGE`, `HAS_PROBLEMS`.
    async fn remove_tags(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which tags, and from which resources.")] input: RemoveTagsInput,
    ) -> Option<ChangeSetPayload> {
        let wish = wish(Vec::new(), input.tags, Vec::new());
        let planned = plan(ctx, &input.selection, wish, input.title, Then::Apply).await;
        ChangeSetPayload::of(ctx, planned, input.client_mutation_id)
    }
}
