//! The pages that an owner link shows.

use super::PATH;
use super::standing::Dead;
use crate::page::{Form, Page};

/// What the owner is asked for.
pub(super) struct Asked<'a> {
    /// Who asks.
    pub organization: &'a str,
    /// The tenant, as its owner knows it.
    pub tenant: &'a str,
    /// The subscriptions, as their owner knows them.
    pub subscriptions: Vec<String>,
    /// What the button sends.
    pub hidden: Vec<(&'static str, String)>,
}

impl Page {
    pub(super) fn owner_link(asked: Asked<'_>) -> Self {
        let Asked { organization, tenant, subscriptions, hidden } = asked;
        let message = format!(
            "{organization} asks you, as an owner, to let Tenantry read the subscriptions below, of the tenant \
             {tenant}. It gets the Reader role there: it sees resources and their tags, and no data or secrets in \
             them, and changes nothing. To assign the role Tenantry acts in your name, for an hour at most, and at \
             these subscriptions only; each call is written down in a receipt. You sign in at Microsoft, which asks \
             you once more."
        );
        let form = Form { action: PATH, button: "Continue to Microsoft", hidden };
        Self::new(200, "OWNER_LINK", "You are asked for a consent", &message)
            .with_items(subscriptions)
            .with_form(form)
    }

    pub(super) fn owner_link_unknown() -> Self {
        Self::new(
            404,
            "OWNER_LINK_UNKNOWN",
            "This link is not known",
            "It was not copied in full, or it is not one of ours. Ask the person who sent it for a new one.",
        )
    }

    pub(super) fn of_dead_owner_link(dead: Dead) -> Self {
        let gone = |code, title, message: &str| Self::new(410, code, title, message);
        match dead {
            Dead::Used => gone(
                "OWNER_LINK_USED",
                "This link was used",
                "The consent that it asks for was granted. Nothing has to be done again. You can close this page.",
            ),
            Dead::Revoked => gone(
                "OWNER_LINK_REVOKED",
                "This link was revoked",
                "Whoever sent it does not ask for this consent any more. You can close this page.",
            ),
            Dead::Expired => gone(
                "OWNER_LINK_EXPIRED",
                "This link has expired",
                "Ask the person who sent it for a new one.",
            ),
            Dead::Exhausted => gone(
                "OWNER_LINK_EXHAUSTED",
                "This link was tried too often",
                "It has started as many consents as it may, and none was granted. Ask the person who sent it for a \
                 new one.",
            ),
            Dead::Withdrawn => gone(
                "OWNER_LINK_WITHDRAWN",
                "This link is not good any more",
                "Whoever made it may not ask for this consent any more. Ask the organization for a new one.",
            ),
        }
    }

    pub(super) fn owner_link_of_another_browser() -> Self {
        Self::new(
            403,
            "WRONG_BROWSER",
            "The button has to be used where the link was opened",
            "For your safety a consent begins only in a browser that has shown who asks for it. Open the link again, \
             allow its cookie, and use the button there.",
        )
    }
}
