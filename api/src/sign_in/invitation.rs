//! How an invited person becomes a member.

use entity::audit_event::{Action, Actor, ObjectKind, Record};
use entity::{invitation, member, reach};
use microsoft::Identity;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect, Set,
    Unchanged,
};
use serde_json::json;
use uuid::Uuid;

use crate::page::Page;
use crate::services::Services;
use crate::viewer::Origin;

/// Makes the person who signed in the member that the invitation is for. Whoever is a member already stays
/// what they are, and the invitation stays good for whom it was meant.
pub(super) async fn accept(
    services: &Services,
    secret: &str,
    identity: &Identity,
    origin: &Origin,
) -> Result<member::Model, Page> {
    let accepted = accept_once(services, secret, identity, origin).await;
    let accepted = accepted.map_err(|error| Page::broken(&error))?;
    accepted.ok_or_else(|| {
        Page::new(
            410,
            "INVITATION_GONE",
            "This invitation is not good any more",
            "It was accepted before, was taken back, has expired, or the link was not copied in full. Ask \
             whoever sent it for a new one.",
        )
    })
}

async fn accept_once(
    services: &Services,
    secret: &str,
    identity: &Identity,
    origin: &Origin,
) -> Result<Option<member::Model>, DbErr> {
    let now = services.clock.now();
    let transaction = services.begin().await?;
    // Whoever accepts it at the same time waits here, and then finds it accepted.
    let found = invitation::Entity::by_secret(secret).lock_exclusive().one(&transaction).await?;
    let Some(invitation) = found else { return Ok(None) };
    let known = member::Entity::by_identity(&identity.issuer, &identity.subject)
        .filter(member::Column::OrganizationId.eq(invitation.organization_id))
        .one(&transaction)
        .await?;
    if known.is_some() || !invitation.is_open(now) {
        return Ok(known);
    }
    let member = member::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(invitation.organization_id),
        display_name: Set(identity.name.clone().unwrap_or(invitation.display_name.clone())),
        role: Set(invitation.role),
        created_at: Set(now),
        issuer: Set(Some(identity.issuer.clone())),
        subject: Set(Some(identity.subject.clone())),
        limited: Set(invitation.limited),
        removed_at: Set(None),
        signed_out_at: Set(None),
    };
    let member = member.insert(&transaction).await?;
    hand_over(&invitation, member.id, &transaction).await?;
    let accepted = invitation::ActiveModel {
        id: Unchanged(invitation.id),
        accepted_at: Set(Some(now)),
        accepted_by: Set(Some(member.id)),
        ..Default::default()
    };
    accepted.update(&transaction).await?;
    let record = Record::of(Action::InvitationAccepted, ObjectKind::Invitation, invitation.id)
        .after(json!({ "role": member.role.as_str(), "limited": member.limited }));
    let author = origin.clone().author(member.organization_id, Actor::Member(member.id));
    worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    transaction.commit().await?;
    tracing::info!(invitation.id = %invitation.id, member.id = %member.id, "invitation accepted");
    Ok(Some(member))
}

/// What the invitation reaches, the member reaches.
async fn hand_over(
    invitation: &invitation::Model,
    member: Uuid,
    transaction: &DatabaseTransaction,
) -> Result<(), DbErr> {
    reach::Entity::update_many()
        .set(reach::ActiveModel { holder_id: Set(member), ..Default::default() })
        .filter(reach::Column::OrganizationId.eq(invitation.organization_id))
        .filter(reach::Column::HolderId.eq(invitation.id))
        .exec(transaction)
        .await?;
    Ok(())
}
