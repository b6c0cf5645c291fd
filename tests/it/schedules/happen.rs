//! What people do: they consent, close windows, cancel, and change what is in Azure.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use api::Services;
use api::consent::{Asking, Received, Returned, ask, receive, visit};
use entity::audit_event::{Actor, Author};
use entity::consent::Closed;
use entity::{Owned, Work, consent, operation, subscription};
use sea_orm::{ActiveModelTrait, ColumnTrait, QueryFilter, QueryOrder, Set, Unchanged};
use secrecy::{ExposeSecret, SecretString};
use simulator::{Decision, Fault, Opened, Person};
use url::Url;
use uuid::Uuid;
use worker::window;

use super::ground::Stage;
use super::schedule::{Event, Mishap, Outage, Route, Wish};

impl Stage {
    /// Lets somebody do something, between two polls of everything else.
    pub fn happen(&self, event: Event) {
        match event {
            Event::Revoke => self.people.keys().for_each(|user| self.simulator.revoke_sessions(user)),
            Event::Challenge => self.people.keys().for_each(|user| self.simulator.challenge(user)),
            Event::Close => {
                self.life.run(Box::pin(close(self.machine().services, self.member.organization_id)));
            }
            Event::Cancel => {
                self.life.run(Box::pin(cancel(self.machine().services, self.member.organization_id)));
            }
            Event::Consent(wish) => self.wish(&wish),
            Event::Disable(number) => self.change(number, |at| self.simulator.set_disabled(at, true)),
            Event::Lock(number) => self.change(number, |at| self.simulator.set_locked(at, true)),
            Event::Move(number) => self.change(number, |at| self.simulator.move_subscription(at)),
            Event::Give(number, role, above) => {
                let at = self.subscription(number).into_iter();
                at.for_each(|at| self.others.borrow_mut().give(&self.simulator, at, role, above));
            }
            Event::Take(number, role) => {
                let at = self.subscription(number).into_iter();
                at.for_each(|at| self.others.borrow_mut().take(&self.simulator, at, role));
            }
        }
    }

    fn change(&self, number: u32, change: impl FnOnce(Uuid)) {
        if let Some(at) = self.subscription(number) {
            self.others.borrow_mut().changed.insert(at);
            change(at);
        }
    }

    /// Somebody is asked for a consent, and gives it.
    pub fn wish(&self, wish: &Wish) {
        let asking = Asked {
            services: self.machine().services,
            person: Rc::clone(&self.people[wish.user]),
            organization_id: self.member.organization_id,
            member_id: self.member.id,
            tenant_id: self.simulator.tenant_id(),
            wanted: self.wanted(wish),
            wish: wish.clone(),
        };
        self.life.run(Box::pin(asking.consent()));
    }

    /// Azure's ids of what a wish names.
    fn wanted(&self, wish: &Wish) -> Vec<Uuid> {
        let numbered = self.subscriptions.iter().enumerate();
        numbered.filter(|(number, _)| wish.only & (1 << number) != 0).map(|(_, id)| *id).collect()
    }

    /// Lets calls go wrong.
    pub fn plan(&self, outage: &Outage) {
        let (method, path) = match outage.route {
            Route::Assign => ("PUT", "/subscriptions/*/providers/microsoft.authorization/roleassignments/*"),
            Route::Remove => {
                ("DELETE", "/subscriptions/*/providers/microsoft.authorization/roleassignments/*")
            }
            Route::Assignments => {
                ("GET", "/subscriptions/*/providers/microsoft.authorization/roleassignments")
            }
            Route::Permissions => ("GET", "/subscriptions/*/providers/microsoft.authorization/permissions"),
            Route::Subscriptions => ("GET", "/subscriptions"),
            Route::Token => ("POST", "/*/oauth2/v2.0/token"),
            Route::Graph => ("POST", "/providers/microsoft.resourcegraph/resources"),
        };
        let fault = Fault::on(method, path).after(outage.after).times(outage.times);
        let later = |seconds: u32| seconds.to_string();
        let throttled = r#"{"error":{"code":"TooManyRequests","message":"Too many requests."}}"#;
        let refused =
            r#"{"error":{"code":"AuthorizationFailed","message":"The client has no authorization."}}"#;
        self.simulator.faults().plan(match outage.fault {
            Mishap::Throttled(seconds) => fault.answer(429, &[("retry-after", &later(seconds))], throttled),
            Mishap::Away(Some(seconds)) => fault.answer(503, &[("retry-after", &later(seconds))], ""),
            Mishap::Away(None) => fault.answer(503, &[], ""),
            Mishap::Reset => fault.reset(),
            Mishap::Lost => fault.truncate(),
            Mishap::Refused => fault.answer(403, &[], refused),
        });
    }
}

/// A consent that is asked for.
struct Asked {
    services: Services,
    person: Rc<Person>,
    organization_id: Uuid,
    member_id: Uuid,
    tenant_id: Uuid,
    wanted: Vec<Uuid>,
    wish: Wish,
}

impl Asked {
    /// Answers whether it was given: what goes wrong may end it before.
    async fn consent(self) -> Result<usize> {
        let Some(work) = self.work().await? else { return Ok(0) };
        let asking = Asking {
            organization_id: self.organization_id,
            member_id: self.member_id,
            entra_tenant_id: self.tenant_id,
            work,
            author: Author::unasked(self.organization_id, Actor::Member(self.member_id)),
        };
        let (_, link) = ask(&self.services, asking).await?;
        let state = SecretString::from(parameter(&link, "state").context("a link without a state")?);
        let Ok((authorize, browser)) = visit(&self.services, &state).await else { return Ok(0) };
        let Opened::Passed { to, .. } = self.person.decide(authorize.as_str(), Decision::Accept).await?
        else {
            return Ok(0);
        };
        let back = Url::parse(&to)?;
        let returned = Returned {
            state: parameter(&back, "state").map(SecretString::from),
            code: parameter(&back, "code").map(SecretString::from),
            browser: Some(browser.expose_secret().into()),
            ..Returned::default()
        };
        let received = receive(&self.services, returned).await;
        let is_taken = matches!(received, Received::Page(page) if page.status == 200);
        Ok(usize::from(is_taken))
    }

    /// None: the subscriptions are not known yet.
    async fn work(&self) -> Result<Option<Work>> {
        let Some(level) = self.wish.level else { return Ok(Some(Work::ONBOARD)) };
        let known = subscription::Entity::owned_by(self.organization_id).all(&self.services.database).await?;
        let known: HashMap<_, _> = known.into_iter().map(|one| (one.azure_subscription_id, one.id)).collect();
        let subscriptions: Vec<_> = self.wanted.iter().filter_map(|id| known.get(id).copied()).collect();
        Ok((!subscriptions.is_empty()).then_some(Work::ChangeAccess { subscriptions, level }))
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

async fn close(services: Services, organization_id: Uuid) -> Result<usize> {
    let open = consent::Entity::owned_by(organization_id)
        .filter(consent::Column::State.eq(consent::State::Granted))
        .order_by_desc(consent::Column::GrantedAt)
        .one(&services.database)
        .await?;
    let Some(open) = open else { return Ok(0) };
    let author = Author::unasked(organization_id, Actor::Member(open.member_id));
    let closed = window::close_as((&services).into(), &open, Closed::ByMember, &author).await?;
    Ok(usize::from(closed))
}

async fn cancel(services: Services, organization_id: Uuid) -> Result<usize> {
    let under_way = operation::Entity::unattended(services.clock.now()).all(&services.database).await?;
    let ours: Vec<_> = under_way.into_iter().filter(|one| one.organization_id == organization_id).collect();
    for operation in &ours {
        let cancelled = operation::ActiveModel {
            id: Unchanged(operation.id),
            cancel_requested_at: Set(Some(services.clock.now())),
            ..Default::default()
        };
        cancelled.update(&services.database).await?;
        worker::operations::ring(&services.queue, operation).await?;
    }
    Ok(ours.len())
}

/// Time enough for whatever is under way to end: as long as an operation may take, and more.
pub const LONG_ENOUGH: Duration = Duration::from_hours(8);
