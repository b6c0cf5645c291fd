//! What comes back from the issuer, and what is made of it: a session.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::audit_event::{Action, Actor, ObjectKind, Record};
use entity::consent::hash;
use entity::{Failure, FixableBy, member, organization, session};
use microsoft::Identity;
use sea_orm::{ActiveModelTrait, DbErr, Set};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::{COOKIE, UnderWay, invitation, random_secret};
use crate::page::Page;
use crate::services::Services;
use crate::viewer::Origin;

/// The query of a browser that comes back, and its cookie.
#[derive(Default)]
pub struct Returned {
    /// The state parameter.
    pub state: Option<SecretString>,
    /// The authorization code, if the person signed in.
    pub code: Option<SecretString>,
    /// Who answers (RFC 9207), if the issuer says so.
    pub issuer: Option<String>,
    /// The issuer's `error`, if the person did not.
    pub error: Option<String>,
    /// The cookie that [`super::start`] gave the browser.
    pub browser: Option<SecretString>,
    /// From where.
    pub origin: Origin,
}

/// A person who signed in.
pub struct SignedIn {
    /// The cookie of the session.
    pub cookie: SecretString,
    /// Where the browser goes now: a path of ours. None: nowhere in particular.
    pub return_to: Option<String>,
    /// What the person is called.
    pub display_name: String,
}

/// Takes what came back; answers the session, or the page that says why there is none.
pub async fn receive(services: &Services, returned: Returned) -> Result<SignedIn, Page> {
    let under_way = open(services, &returned)?;
    let identity = identify(services, &under_way, &returned).await.map_err(|failure| {
        tracing::warn!(failure.code, failure.trace_id, "nobody signed in");
        Page::of_failure("You are not signed in", &failure)
    })?;
    let member = match &under_way.invitation {
        Some(secret) => invitation::accept(services, secret, &identity, &returned.origin).await?,
        None => choose(services, &under_way, &identity).await?,
    };
    let begun = begin(services, &member, &returned.origin).await;
    let cookie = begun.map_err(|error| Page::broken(&error))?;
    Ok(SignedIn { cookie, return_to: under_way.return_to, display_name: member.display_name })
}

/// Reads the cookie, and whether this is the answer that it waits for.
fn open(services: &Services, returned: &Returned) -> Result<UnderWay, Page> {
    let opened = returned.browser.as_ref().and_then(|cookie| {
        let sealed = URL_SAFE_NO_PAD.decode(cookie.expose_secret()).ok()?;
        let text = services.keyring.open_text(&sealed, COOKIE).ok()?;
        serde_json::from_str::<UnderWay>(text.expose_secret()).ok()
    });
    let Some(under_way) = opened else { return Err(wrong_browser()) };
    if under_way.expires_at <= services.clock.now() {
        return Err(Page::new(
            410,
            "SIGN_IN_EXPIRED",
            "This sign-in took too long",
            "A sign-in has to be finished within ten minutes. Sign in again.",
        ));
    }
    let state = returned.state.as_ref().map(|state| hash(state.expose_secret()));
    if state.as_ref() == Some(&under_way.state_hash) { Ok(under_way) } else { Err(wrong_browser()) }
}

fn wrong_browser() -> Page {
    Page::new(
        403,
        "WRONG_BROWSER",
        "This is not the browser in which the sign-in began",
        "For your safety a sign-in is accepted only by the browser in which it began, and only once. Allow \
         its cookie, and sign in again.",
    )
}

/// Exchanges the code and checks who it is from.
async fn identify(
    services: &Services,
    under_way: &UnderWay,
    returned: &Returned,
) -> Result<Identity, Failure> {
    if let Some(error) = &returned.error {
        tracing::warn!(sign_in.error = error_code(error), "the issuer sent somebody back without a code");
        return Err(not_finished());
    }
    let code = returned.code.as_ref().ok_or_else(not_finished)?;
    let named = services.sign_in.issuer_name().await;
    if returned.issuer.as_ref().zip(named.as_ref()).is_some_and(|(told, named)| told != named) {
        return Err(not_verified());
    }
    let verifier = SecretString::from(under_way.code_verifier.as_str());
    let id_token = services
        .sign_in
        .exchange_code(code, &verifier)
        .await
        .map_err(|error| worker::failures::of_microsoft(&error))?;
    let nonce = SecretString::from(under_way.nonce.as_str());
    services.sign_in.verify_id_token(id_token.expose_secret(), &nonce).await.map_err(|error| {
        tracing::warn!(%error, "an identity token is refused");
        not_verified()
    })
}

/// The issuer's word for what went wrong, for the operator. It comes by the browser: only what can be such a word
/// goes into the log.
fn error_code(error: &str) -> &str {
    let is_code = error.len() <= 40 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_code { error } else { "unreadable" }
}

fn not_finished() -> Failure {
    Failure::new(
        "SIGN_IN_NOT_FINISHED",
        true,
        FixableBy::Member,
        "The sign-in was not finished, so nothing changed. Sign in again when ready.",
    )
}

fn not_verified() -> Failure {
    Failure::new(
        "SIGN_IN_NOT_VERIFIED",
        true,
        FixableBy::Member,
        "The sign-in could not be verified. Sign in again; if it happens again, give the trace id to whoever \
         runs this installation.",
    )
}

/// The member that the person is, in the organization that was asked for or in the only one.
async fn choose(
    services: &Services,
    under_way: &UnderWay,
    identity: &Identity,
) -> Result<member::Model, Page> {
    let found =
        member::Entity::by_identity(&identity.issuer, &identity.subject).all(&services.database).await;
    let mut members = found.map_err(|error| Page::broken(&error))?;
    if let Some(organization) = under_way.organization {
        members.retain(|member| member.organization_id == organization);
    }
    match members.pop() {
        Some(only) if members.is_empty() => Ok(only),
        Some(last) => {
            members.push(last);
            Err(which(services, under_way, members).await)
        }
        None => Err(Page::new(
            403,
            "NOT_A_MEMBER",
            "You are not a member here",
            "You signed in, but you are a member of no organization here. Ask an ADMIN of the organization \
             for an invitation, and open its link.",
        )),
    }
}

/// The page that asks a member of several organizations in which to sign in.
async fn which(services: &Services, under_way: &UnderWay, members: Vec<member::Model>) -> Page {
    let ids: Vec<Uuid> = members.iter().map(|member| member.organization_id).collect();
    let found = organization::Entity::by_ids(&ids).all(&services.database).await;
    let organizations = match found {
        Ok(organizations) => organizations,
        Err(error) => return Page::broken(&error),
    };
    let link = |organization: organization::Model| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("organization", &format!("organization:{}", organization.id));
        if let Some(return_to) = &under_way.return_to {
            query.append_pair("return_to", return_to);
        }
        (organization.name, format!("/sign-in?{}", query.finish()))
    };
    Page::new(
        200,
        "SEVERAL_ORGANIZATIONS",
        "Where do you want to sign in?",
        "You are a member of several organizations. Choose one.",
    )
    .with_links(organizations.into_iter().map(link).collect())
}

/// Stores a session of the member; answers its cookie.
async fn begin(services: &Services, member: &member::Model, origin: &Origin) -> Result<SecretString, DbErr> {
    let cookie = random_secret();
    let now = services.clock.now();
    let session = session::ActiveModel {
        id: Set(Uuid::now_v7()),
        organization_id: Set(member.organization_id),
        member_id: Set(member.id),
        token_hash: Set(hash(cookie.expose_secret())),
        former_hash: Set(None),
        rotated_at: Set(now),
        created_at: Set(now),
        last_seen_at: Set(now),
        expires_at: Set(now + session::LIFETIME),
        ended_at: Set(None),
    };
    let transaction = services.begin().await?;
    let session = session.insert(&transaction).await?;
    let record = Record::of(Action::SignedIn, ObjectKind::Session, session.id)
        .after(json!({ "expiresAt": session.expires_at }));
    let author = origin.clone().author(member.organization_id, Actor::Member(member.id));
    worker::audit::append(&transaction, &services.keyring, now, &author, record).await?;
    transaction.commit().await?;
    tracing::info!(session.id = %session.id, member.id = %member.id, "signed in");
    Ok(cookie)
}
