//! Everything of a kind once, and then what has changed: page by page, so that a job can store a page together
//! with the link to the next one, and go on exactly there.
//!
//! <https://learn.microsoft.com/en-us/graph/delta-query-overview>. A link is good for seven days. One object may come
//! several times, in any order: what comes later holds.

use std::fmt;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::caller::{Call, Caller};
use crate::error::codes;
use crate::throttle::Budget;
use crate::{Graph, MicrosoftError};

/// From where on to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Everything there is.
    Beginning,
    /// Where an earlier answer ended.
    At(DeltaLink),
}

/// A link with which reading goes on. It belongs to what it came with: users or groups of one tenant.
#[derive(Clone, PartialEq, Eq)]
pub struct DeltaLink(String);

impl DeltaLink {
    /// One that was stored. It is followed only if it leads to Microsoft Graph.
    pub fn stored(link: String) -> Self {
        Self(link)
    }

    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without the token in it, which reads the directory's history for whoever also has an access token.
impl fmt::Debug for DeltaLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeltaLink(…)")
    }
}

/// A page of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes<T> {
    /// What changed, in the order in which it is to be applied.
    pub changes: Vec<Change<T>>,
    /// How it goes on.
    pub next: Next,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// It is there, like this.
    Is(T),
    /// It is not there any more.
    Removed {
        /// Its id.
        id: Uuid,
        /// Whether it is gone for good; else its administrator can have it back.
        deleted: bool,
    },
}

/// How it goes on after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more now.
    Page(DeltaLink),
    /// That was everything; what changes from now on is here.
    End(DeltaLink),
}

/// What a change says of one property. Graph leaves out what was never set and, sometimes, what has not changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Told<T> {
    /// Nothing: it is as it was.
    #[default]
    Nothing,
    /// It has no value now.
    Empty,
    /// This is its value now.
    Is(T),
}

impl<T> Told<T> {
    /// What holds now, if `known` did before.
    pub fn or(self, known: Option<T>) -> Option<T> {
        match self {
            Self::Nothing => known,
            Self::Empty => None,
            Self::Is(value) => Some(value),
        }
    }

    /// The value that is told, if there is one.
    pub fn value(self) -> Option<T> {
        self.or(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Told<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Empty, Self::Is))
    }
}

/// An object whose changes can be had.
pub(super) trait Tracked: DeserializeOwned + Send + 'static {
    /// Where everything begins, below the version.
    const PATH: &'static str;

    fn id(&self) -> Uuid;
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<Row<T>>,
    #[serde(rename = "@odata.nextLink")]
    next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta_link: Option<String>,
}

#[derive(Deserialize)]
struct Row<T> {
    #[serde(rename = "@removed")]
    removed: Option<Removal>,
    #[serde(flatten)]
    object: T,
}

#[derive(Deserialize)]
pub(super) struct Removal {
    #[serde(default)]
    reason: String,
}

impl Removal {
    /// The other reason, `changed`, is a removal that can be undone.
    fn is_final(&self) -> bool {
        self.reason == "deleted"
    }
}

impl Graph {
    /// A page of changes. A wait that Microsoft asks for and that is not a short one is handed to the caller, who has
    /// the link to come back with.
    pub(super) async fn changes<T: Tracked>(
        &self,
        tenant: Uuid,
        start: &Start,
    ) -> Result<Changes<T>, MicrosoftError> {
        let call = match start {
            Start::Beginning => self.call(T::PATH),
            Start::At(link) => Call::new(Method::GET, self.link.base().follow(link.as_str())?, Budget::Graph),
        }
        .paged();
        let page: Page<T> = self.link.read(&Caller::App { tenant }, &call).await?;
        let present = |link: Option<String>| link.filter(|link| !link.is_empty());
        let next = match (present(page.next_link), present(page.delta_link)) {
            (Some(next), _) => Next::Page(DeltaLink(next)),
            (None, Some(end)) => Next::End(DeltaLink(end)),
            (None, None) => {
                return Err(MicrosoftError::of(
                    &codes::INCOMPLETE_ANSWER,
                    "a page does not say how it goes on",
                ));
            }
        };
        let (Next::Page(link) | Next::End(link)) = &next;
        // A link that leads elsewhere is not even stored.
        let url = self.link.base().follow(link.as_str())?;
        if matches!(next, Next::Page(_)) && url == call.url {
            return Err(MicrosoftError::of(&codes::INCOMPLETE_ANSWER, "a page names itself as the next"));
        }
        Ok(Changes { changes: page.value.into_iter().map(Row::into_change).collect(), next })
    }
}

impl<T: Tracked> Row<T> {
    fn into_change(self) -> Change<T> {
        match self.removed {
            Some(removal) => Change::Removed { id: self.object.id(), deleted: removal.is_final() },
            None => Change::Is(self.object),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Object {
        #[serde(default)]
        name: Told<String>,
    }

    #[test]
    fn absent_and_null_are_different() {
        let told = |json: &str| serde_json::from_str::<Row<Object>>(json).expect("a row").object.name;
        assert_eq!(told("{}"), Told::Nothing);
        assert_eq!(told(r#"{"name":null}"#), Told::Empty);
        assert_eq!(told(r#"{"name":"a"}"#), Told::Is("a".to_owned()));
        assert_eq!(Told::Nothing.or(Some(1)), Some(1));
        assert_eq!(Told::Empty.or(Some(1)), None);
        assert_eq!(Told::Is(2).or(Some(1)), Some(2));
        assert_eq!(Told::<u8>::Nothing.value(), None);
    }

    #[test]
    fn a_link_is_not_printed() {
        let next = Next::Page(DeltaLink::stored("https://graph.microsoft.com/?$skiptoken=secret".to_owned()));
        assert!(!format!("{next:?}").contains("secret"));
    }
}
