//! The GraphQL schema: what front ends and partners can ask for, and how it is answered.
//!
//! Cut by domain, then one file per operation. What every file leans on:
//!
//! | file | what |
//! | --- | --- |
//! | `scope.rs` | the one guard: on whose behalf, and with which role, a field is resolved |
//! | `ids.rs` | global ids, which say their kind |
//! | `stored.rs` | from rows to objects: the finders |
//! | `batch.rs` | why a page costs the same number of statements however long it is |
//! | `pager.rs` | pages of any list |
//! | `live.rs` | live queries: a row, read again whenever it has moved on |
//! | `text.rs` | how texts are compared, the same on both databases |
//! | `user_error.rs`, `failure.rs` | what a person can do something about |

mod access_token;
mod audit;
mod batch;
mod change_set;
mod consent;
mod diagnosis;
mod enrollment_key;
mod estimate;
mod failure;
mod ids;
mod invitation;
mod live;
mod member;
mod names;
mod node;
mod office;
mod operation;
mod owner_link;
mod pager;
mod plan;
mod reach;
mod resource;
mod scalars;
mod scope;
mod stored;
mod subscription;
mod tag_name;
mod tenant;
mod text;
mod user_error;
mod viewer;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions};

use crate::services::Services;
pub(crate) use office::{HOW_TO_REVEAL, Reported, Sheet, Unavailable, Wanted, begin_export, check_days};

/// The schema.
pub type Schema = async_graphql::Schema<Query, Mutation, LiveQuery>;

/// What can be asked. Each field says which role it needs of a member, and which scope of an access token. It
/// shows what belongs to the viewer's organization and is within its limits: what is not is answered exactly
/// like what does not exist.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(
    viewer::Viewers,
    node::Nodes,
    tenant::Tenants,
    subscription::Subscriptions,
    resource::Resources,
    operation::Operations,
    consent::Consents,
    access_token::AccessTokens,
    member::Members,
    invitation::Invitations,
    diagnosis::DiagnoseAccessToken,
    enrollment_key::EnrollmentKeys,
    audit::AuditEvents,
    consent::VerifyReceipt,
    owner_link::OwnerLinks,
    tenant::PlanDisconnect,
    plan::PlanOnboarding,
    plan::PlanAccessChange,
    change_set::ChangeSets,
    tag_name::TagNameSettings,
    resource::Facets,
    resource::TagCoverages,
    resource::TagNames,
    office::OfficeUsers,
    office::OfficeGroups,
    office::ActiveUsersQuery,
    office::InactiveUsersQuery,
    office::LicencesQuery,
    office::StorageQuery,
    office::TeamsActivityQuery,
    office::AppActivationsQuery,
    office::DepartmentsQuery,
    office::Reports,
);

/// What can be started or stopped. Each says which role it needs of a member, and which
/// scope of an access token. What a person can do something about is in
/// `userErrors`, never in `errors`.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(
    consent::StartConsent,
    tenant::ScanTenant,
    subscription::ChangeAccess,
    viewer::ChangeOrganization,
    operation::CancelOperation,
    operation::RetryOperation,
    access_token::CreateAccessToken,
    access_token::RotateAccessToken,
    access_token::RevokeAccessToken,
    member::ChangeMember,
    member::RemoveMember,
    member::SignOutEverywhere,
    invitation::InviteMember,
    invitation::RevokeInvitation,
    enrollment_key::RegisterEnrollmentKey,
    enrollment_key::CheckEnrollmentKey,
    enrollment_key::RemoveEnrollmentKey,
    consent::AddSubscriptions,
    consent::CloseWindow,
    owner_link::CreateOwnerLink,
    owner_link::RevokeOwnerLink,
    tenant::CheckTenant,
    tenant::DisconnectTenant,
    change_set::AssignTags,
    change_set::RemoveTags,
    change_set::RenameTag,
    change_set::PlanChangeSet,
    change_set::ApplyChangeSet,
    change_set::CancelChangeSet,
    change_set::RevertChangeSet,
    change_set::ResolveConflicts,
    tag_name::ChangeTagName,
    tenant::ScheduleScan,
    tenant::LoadOffice365,
);

/// What can be watched while it happens. The viewer is asked for again while it is watched.
#[derive(MergedSubscription, Default)]
#[graphql(name = "Subscription")]
pub struct LiveQuery(operation::FollowOperation, consent::FollowConsent);

/// The schema, answering with `services`; without them it can be described and nothing more. A request has to
/// bring its [`Viewer`](crate::viewer::Viewer) along as data.
pub fn schema(services: Option<Services>) -> Schema {
    let schema = Schema::build(Query::default(), Mutation::default(), LiveQuery::default());
    match services {
        Some(services) => schema.data(services).data(resource::Counts::default()).finish(),
        None => schema.finish(),
    }
}

/// The schema in GraphQL's own language: the public contract.
pub fn sdl() -> String {
    let options =
        SDLExportOptions::new().use_space_ident().prefer_single_line_descriptions().include_specified_by();
    schema(None).sdl_with_options(options).trim_end().to_owned()
}

/// A count as GraphQL's `Int`, which has 32 bits.
fn int(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(if count < 0 { i32::MIN } else { i32::MAX })
}

/// The consent that a global id names; none: it is no such id.
pub(crate) fn consent_id(id: &async_graphql::ID) -> Option<uuid::Uuid> {
    ids::Kind::Consent.row(id).ok()
}

/// The global id of a change set.
pub(crate) fn change_set_id(row: uuid::Uuid) -> async_graphql::ID {
    ids::Kind::ChangeSet.id(row)
}

/// Holds of resources that have a tag of this name, in whichever case.
pub(crate) fn has_tag(backend: sea_orm::DbBackend, name: &str) -> sea_orm::sea_query::Expr {
    resource::has_term(backend, entity::tags::name_term(name))
}
