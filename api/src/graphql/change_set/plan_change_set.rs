//! The mutation `planChangeSet`: plans tag writes, to be reviewed before any is sent.

use async_graphql::{Context, InputObject, Object};

use super::ChangeSetPayload;
use super::plan::{Then, plan};
use super::selection::ResourceSelection;
use super::wish::{TagInput, TagRemovalInput, TagRenamingInput, wish};

/// What is wished, and of which resources.
#[derive(InputObject)]
#[graphql(name = "PlanChangeSetInput")]
pub struct PlanChangeSetInput {
    /// The resources.
    selection: ResourceSelection,
    /// Tags that each of them is to have.
    #[graphql(default)]
    set: Vec<TagInput>,
    /// Tags that none of them is to have any more.
    #[graphql(default)]
    remove: Vec<TagRemovalInput>,
    /// Tags that are to have another name.
    #[graphql(default)]
    rename: Vec<TagRenamingInput>,
    /// Whether subscriptions at `READ_TAGS` are written to as well: inside one consent window the role is assigned, the
    /// tags are written, and the role is taken away again. Needs the scope `consents:write` too.
    #[graphql(default)]
    elevates: bool,
    /// What the change set is called; the names of the tags by default.
    title: Option<String>,
    /// Comes back in the payload.
    client_mutation_id: Option<String>,
}

/// The mutation of this file.
#[derive(Default)]
pub struct PlanChangeSet;

#[Object(name = "PlanChangeSetMutation")]
impl PlanChangeSet {
    /// Plans a change set and sends nothing: before and after of each tag, what would fail and why, how many requests
    /// it takes and how long. `applyChangeSet` writes it. Needs the role `EDITOR`, or the scope `tags:write`.
    /// `userErrors`: `INVALID_SELECTION`, `NOT_FOUND`, `CONFIRMATION_NEEDED`, `SELECTION_CHANGED`, `INVALID_TAGS`,
    /// `INVALID_NAME`, `NOTHING_TO_CHANGE`.
    async fn plan_change_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is wished, and of which resources.")] input: PlanChangeSetInput,
    ) -> Option<ChangeSetPayload> {
        let wish = wish(input.set, input.remove, input.rename);
        let then = Then::Review { elevates: input.elevates };
        let planned = plan(ctx, &input.selection, wish, input.title, then).await;
        ChangeSetPayload::of(ctx, planned, input.client_mutation_id)
    }
}
