//! Anything that has an id.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object, Result};
use uuid::Uuid;

use super::access_token::AccessToken;
use super::audit::AuditEvent;
use super::change_set::{ChangeSet, TagWrite};
use super::consent::Consent;
use super::enrollment_key::EnrollmentKey;
use super::ids::{self, Kind};
use super::invitation::Invitation;
use super::member::Member;
use super::office::{OfficeGroup, OfficeUser, Report};
use super::operation::Operation;
use super::owner_link::OwnerLink;
use super::pager::check_length;
use super::resource::Resource;
use super::scope::{Scope, internal, or_null};
use super::stored::{Stored, find_rows};
use super::subscription::AzureSubscription;
use super::tag_name::TagNameSetting;
use super::tenant::Tenant;
use super::viewer::Organization;

/// Anything that has an id.
#[derive(Interface)]
#[graphql(name = "Node", field(name = "id", ty = "ID", desc = "Its id, which is opaque."))]
pub enum Node {
    /// An organization.
    Organization(Organization),
    /// A member.
    Member(Member),
    /// A tenant.
    Tenant(Tenant),
    /// A subscription.
    AzureSubscription(AzureSubscription),
    /// A resource.
    Resource(Resource),
    /// An operation.
    Operation(Operation),
    /// A consent.
    Consent(Consent),
    /// An access token.
    AccessToken(AccessToken),
    /// An invitation.
    Invitation(Invitation),
    /// An enrollment key.
    EnrollmentKey(EnrollmentKey),
    /// An audit event.
    AuditEvent(AuditEvent),
    /// An owner link.
    OwnerLink(OwnerLink),
    /// A change set.
    ChangeSet(ChangeSet),
    /// A tag write.
    TagWrite(TagWrite),
    /// What is decided about a tag name.
    TagNameSetting(TagNameSetting),
    /// A user of a tenant.
    OfficeUser(OfficeUser),
    /// A group of a tenant.
    OfficeGroup(OfficeGroup),
    /// A report.
    Report(Report),
}

/// The queries of this file.
#[derive(Default)]
pub struct Nodes;

#[Object(name = "NodeQuery")]
impl Nodes {
    /// What has this id; null if there is nothing. Needs what the type of it needs.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id of any kind.")] id: ID,
    ) -> Option<Arc<Node>> {
        or_null(ctx, find_all(ctx, &[id]).await.map(|mut found| found.pop().flatten()))
    }

    /// What has these ids, in their order; null where there is nothing. Needs what the types of them need.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of any kind; at most 500.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Arc<Node>>>> {
        check_length("ids", &ids)?;
        find_all(ctx, &ids).await
    }
}

async fn find_all(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<Option<Arc<Node>>>> {
    let asked = ids.iter().map(ids::any).collect::<Result<Vec<_>>>()?;
    let mut found = HashMap::new();
    for kind in Kind::ALL {
        let rows: Vec<Uuid> = asked.iter().filter(|(asked, _)| *asked == kind).map(|(_, row)| *row).collect();
        if !rows.is_empty() {
            let nodes = find_kind(ctx, kind, rows).await?;
            found.extend(nodes.into_iter().map(|(row, node)| ((kind, row), Arc::new(node))));
        }
    }
    Ok(asked.iter().map(|key| found.get(key).cloned()).collect())
}

async fn find_kind(ctx: &Context<'_>, kind: Kind, rows: Vec<Uuid>) -> Result<Vec<(Uuid, Node)>> {
    match kind {
        Kind::Organization => find_as(ctx, rows, Node::Organization).await,
        Kind::Member => find_as(ctx, rows, Node::Member).await,
        Kind::Tenant => find_as(ctx, rows, Node::Tenant).await,
        Kind::Subscription => find_as(ctx, rows, Node::AzureSubscription).await,
        Kind::Resource => find_as(ctx, rows, Node::Resource).await,
        Kind::Operation => find_as(ctx, rows, Node::Operation).await,
        Kind::Consent => find_as(ctx, rows, Node::Consent).await,
        Kind::AccessToken => find_as(ctx, rows, Node::AccessToken).await,
        Kind::Invitation => find_as(ctx, rows, Node::Invitation).await,
        Kind::EnrollmentKey => find_as(ctx, rows, Node::EnrollmentKey).await,
        Kind::AuditEvent => find_as(ctx, rows, Node::AuditEvent).await,
        Kind::OwnerLink => find_as(ctx, rows, Node::OwnerLink).await,
        Kind::ChangeSet => find_as(ctx, rows, Node::ChangeSet).await,
        Kind::TagWrite => find_as(ctx, rows, Node::TagWrite).await,
        Kind::TagName => find_as(ctx, rows, Node::TagNameSetting).await,
        Kind::OfficeUser => find_as(ctx, rows, Node::OfficeUser).await,
        Kind::OfficeGroup => find_as(ctx, rows, Node::OfficeGroup).await,
        Kind::Report => find_as(ctx, rows, Node::Report).await,
    }
}

async fn find_as<T: Stored>(
    ctx: &Context<'_>,
    rows: Vec<Uuid>,
    node: fn(T) -> Node,
) -> Result<Vec<(Uuid, Node)>> {
    let scope = Scope::of(ctx, T::READ)?;
    let found = find_rows(scope, rows).await.map_err(|error| internal(&error))?;
    Ok(found.into_iter().map(|(row, object)| (row, node(object))).collect())
}

#[cfg(test)]
mod tests {
    use async_graphql::ContainerType;

    use super::*;

    /// In bytes: a page of 500 objects keeps that much for each field of each of them.
    const MUCH: usize = 1_100;

    /// Bytes of what is kept while any field of an object is resolved.
    fn kept<'a, T: ContainerType + 'a, F>(_: impl FnOnce(&'a T, &'a Context<'a>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn no_field_of_a_long_list_keeps_much_while_it_is_resolved() {
        let kept = [
            ("Organization", kept(Organization::resolve_field)),
            ("Member", kept(Member::resolve_field)),
            ("Tenant", kept(Tenant::resolve_field)),
            ("AzureSubscription", kept(AzureSubscription::resolve_field)),
            ("Resource", kept(Resource::resolve_field)),
            ("Operation", kept(Operation::resolve_field)),
            ("Consent", kept(Consent::resolve_field)),
            ("AccessToken", kept(AccessToken::resolve_field)),
            ("Invitation", kept(Invitation::resolve_field)),
            ("EnrollmentKey", kept(EnrollmentKey::resolve_field)),
            ("AuditEvent", kept(AuditEvent::resolve_field)),
            ("OwnerLink", kept(OwnerLink::resolve_field)),
            ("ChangeSet", kept(ChangeSet::resolve_field)),
            ("TagWrite", kept(TagWrite::resolve_field)),
            ("TagNameSetting", kept(TagNameSetting::resolve_field)),
            ("OfficeUser", kept(OfficeUser::resolve_field)),
            ("OfficeGroup", kept(OfficeGroup::resolve_field)),
            ("Report", kept(Report::resolve_field)),
        ];
        let much: Vec<_> = kept.into_iter().filter(|(_, bytes)| *bytes > MUCH).collect();
        assert!(much.is_empty(), "put what they wait for into a box: {much:?}");
    }
}
