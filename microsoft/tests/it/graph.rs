//! Microsoft Graph: the directory of a tenant.

mod delta;
mod groups;
mod odd_pages;
mod refusals;
mod throttling;

use microsoft::delta::{Change, Changes, Next, Start};
use microsoft::{DeltaLink, Group, MicrosoftError, User};

use crate::cloud::Cloud;

/// What there is to be had of a directory, and what asks for it.
pub trait Kind: Sized {
    async fn page(cloud: &Cloud, start: &Start) -> Result<Changes<Self>, MicrosoftError>;
}

impl Kind for User {
    async fn page(cloud: &Cloud, start: &Start) -> Result<Changes<Self>, MicrosoftError> {
        cloud.graph().user_changes(cloud.tenant(), start).await
    }
}

impl Kind for Group {
    async fn page(cloud: &Cloud, start: &Start) -> Result<Changes<Self>, MicrosoftError> {
        cloud.graph().group_changes(cloud.tenant(), start).await
    }
}

/// Where it goes on after a link that went through a database.
pub fn stored(link: &DeltaLink) -> Start {
    Start::At(DeltaLink::stored(link.as_str().to_owned()))
}

/// A whole round: its changes, how many pages they were on, and where the next round begins.
pub async fn round<T: Kind>(cloud: &Cloud, mut start: Start) -> (Vec<Change<T>>, usize, Start) {
    let (mut changes, mut pages) = (Vec::new(), 0);
    loop {
        let page = T::page(cloud, &start).await.expect("a page");
        changes.extend(page.changes);
        pages += 1;
        match page.next {
            Next::Page(link) => start = stored(&link),
            Next::End(link) => return (changes, pages, stored(&link)),
        }
    }
}
