//! The query `auditEvents`.

use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::audit_event::{self, ActorKind, Column, ObjectKind, Period};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveEnum, ColumnTrait, Condition, Iterable, QueryFilter, Select};
use uuid::Uuid;

use super::{AuditAction, AuditEvent};
use crate::error::ErrorCode;
use crate::graphql::ids::Kind;
use crate::graphql::pager::{Connection, KeyOf, OrderDirection, Paging, Sort, check_length, page};
use crate::graphql::scalars::DateTime;
use crate::graphql::scope::Scope;
use crate::permission::Permission;

/// Which audit events. What is given has to hold all at once; of a list, any one. An empty list lets nothing
/// through.
#[derive(InputObject, Default)]
#[graphql(name = "AuditEventFilter")]
pub struct AuditEventFilter {
    /// Of one of these actions.
    actions: Option<Vec<AuditAction>>,
    /// Done by one of these members or access tokens.
    actors: Option<Vec<ID>>,
    /// Done to one of these things.
    objects: Option<Vec<ID>>,
    /// At this time or later.
    from: Option<DateTime>,
    /// Before this time.
    to: Option<DateTime>,
}

/// The query of this file.
#[derive(Default)]
pub struct AuditEvents;

#[Object(name = "AuditQuery")]
impl AuditEvents {
    /// What was done in the organization, the newest first. Who is limited to some tenants sees none. The same can
    /// be had as lines of JSON at `/audit/export`. Needs the role `ADMIN`, or the scope `audit:read`.
    async fn audit_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all of them by default.")] filter: Option<AuditEventFilter>,
        #[graphql(desc = "How many, from the start: at most 500; 50 if neither this nor `last` is given.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the end: at most 500.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<AuditEvent>> {
        let scope = Scope::of(ctx, Permission::ReadAudit)?;
        let events = filter.unwrap_or_default().apply(scope.owned())?;
        let sort = Sort {
            name: "sequence",
            expression: Expr::col(Column::Sequence.as_column_ref()),
            key: KeyOf::Number(|row: &audit_event::Model| row.sequence),
            direction: OrderDirection::Desc,
        };
        page(scope, events, sort, &Paging { first, after, last, before }).await
    }
}

impl AuditEventFilter {
    fn apply(self, mut list: Select<audit_event::Entity>) -> Result<Select<audit_event::Entity>> {
        if let Some(actions) = self.actions {
            check_length("actions", &actions)?;
            list = list.filter(Column::Action.is_in(actions.into_iter().map(audit_event::Action::from)));
        }
        if let Some(actors) = self.actors {
            check_length("actors", &actors)?;
            list = list.filter(by_any(&actors)?);
        }
        if let Some(objects) = self.objects {
            check_length("objects", &objects)?;
            list = list.filter(to_any(&objects)?);
        }
        let period = Period { from: self.from.map(Into::into), to: self.to.map(Into::into) };
        if !period.is_sound() {
            return Err(ErrorCode::BadInput.error("from and to have to lie in the years 1970 to 9999."));
        }
        Ok(period.of(list))
    }
}

/// Holds of what one of these members or access tokens did.
fn by_any(actors: &[ID]) -> Result<Condition> {
    let (mut members, mut access_tokens) = (Vec::new(), Vec::new());
    for actor in actors {
        match Kind::Member.row(actor) {
            Ok(member) => members.push(member),
            Err(_) => access_tokens.push(Kind::AccessToken.row(actor)?),
        }
    }
    let by = |kind: ActorKind, ids: Vec<Uuid>| {
        Condition::all().add(Column::ActorKind.eq(kind)).add(Column::ActorId.is_in(ids))
    };
    Ok(Condition::any().add(by(ActorKind::Member, members)).add(by(ActorKind::AccessToken, access_tokens)))
}

/// Holds of what was done to one of these things. Not all of them can be looked up by their ids.
fn to_any(objects: &[ID]) -> Result<Condition> {
    let objects = objects.iter().map(|object| {
        parse(object).ok_or_else(|| {
            ErrorCode::BadId.error("What was given is not the id of a thing that the audit tells of.")
        })
    });
    let objects = objects.collect::<Result<Vec<_>>>()?;
    let to = |kind: ObjectKind| {
        let ids = objects.iter().filter(|(of, _)| *of == kind).map(|(_, id)| *id);
        Condition::all().add(Column::ObjectKind.eq(kind)).add(Column::ObjectId.is_in(ids))
    };
    Ok(ObjectKind::iter().map(to).fold(Condition::any(), Condition::add))
}

fn parse(object: &ID) -> Option<(ObjectKind, Uuid)> {
    let (kind, id) = object.split_once(':')?;
    let kind = ObjectKind::try_from_value(&kind.to_owned()).ok()?;
    Uuid::try_parse(id).ok().filter(|parsed| parsed.to_string() == id).map(|id| (kind, id))
}
