//! Lists that come in pages: followed to the last link, on the same host, without going in circles.

use std::panic::resume_unwind;
use std::pin::pin;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::caller::{Call, Caller, Link};
use crate::error::codes;
use crate::{MicrosoftError, http};

/// A page; an answer without `value` is no page, so that an odd body is never taken for an empty list.
#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "nextLink", alias = "@odata.nextLink")]
    next_link: Option<String>,
}

/// Every row of a list.
pub(crate) async fn all<T>(link: &Link, caller: &Caller, call: Call) -> Result<Vec<T>, MicrosoftError>
where
    T: DeserializeOwned + Send + 'static,
{
    let pages = each(link.clone(), caller.clone(), call);
    pages
        .try_fold(Vec::new(), |mut rows, page| async move {
            rows.extend(page);
            Ok(rows)
        })
        .await
}

/// The pages of a list, one after the other.
pub(crate) fn each<T>(
    link: Link,
    caller: Caller,
    call: Call,
) -> impl Stream<Item = Result<Vec<T>, MicrosoftError>> + Send + 'static
where
    T: DeserializeOwned + Send + 'static,
{
    stream::try_unfold(Some((link, caller, call.paged())), |next| async move {
        let Some((link, caller, mut call)) = next else {
            return Ok(None);
        };
        let Page { value, next_link } = http::decode(link.send(&caller, &call).await?.body).await?;
        let Some(next_link) = next_link.filter(|link| !link.is_empty()) else {
            return Ok(Some((value, None)));
        };
        let url = link.base().follow(&next_link)?;
        if url == call.url {
            return Err(MicrosoftError::of(&codes::INCOMPLETE_ANSWER, "a page names itself as the next"));
        }
        call.url = url;
        Ok(Some((value, Some((link, caller.settled(), call)))))
    })
}

/// The same pages, the next one fetched while the last one is being worked on; never more than that.
pub(crate) fn read_ahead<T, S>(pages: S) -> impl Stream<Item = Result<T, MicrosoftError>> + Send + 'static
where
    T: Send + 'static,
    S: Stream<Item = Result<T, MicrosoftError>> + Send + 'static,
{
    // Spawned at the first poll, so that a stream that nobody reads asks for nothing.
    stream::once(async move { ahead(pages) }).flatten()
}

fn ahead<T, S>(pages: S) -> impl Stream<Item = Result<T, MicrosoftError>> + Send + 'static
where
    T: Send + 'static,
    S: Stream<Item = Result<T, MicrosoftError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    let reader = tokio::spawn(forward(pages, sender).in_current_span());
    stream::unfold(Some((receiver, reader)), |state| async move {
        let (mut receiver, reader) = state?;
        match receiver.recv().await {
            Some(page) => Some((page, Some((receiver, reader)))),
            // An end is only an end if the reader got there itself.
            None => interrupted(reader).await.map(|error| (Err(error), None)),
        }
    })
}

/// Hands pages over until they end or nobody wants them any more.
async fn forward<T>(pages: impl Stream<Item = T>, sender: mpsc::Sender<T>) {
    let mut pages = pin!(pages);
    loop {
        let page = tokio::select! {
            page = pages.next() => page,
            () = sender.closed() => return,
        };
        let Some(page) = page else { return };
        if sender.send(page).await.is_err() {
            return;
        }
    }
}

async fn interrupted(reader: JoinHandle<()>) -> Option<MicrosoftError> {
    let error = reader.await.err()?;
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(error) => Some(MicrosoftError::of(&codes::MICROSOFT_UNAVAILABLE, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reading_ahead_keeps_order_and_errors() {
        let broken = || MicrosoftError::of(&codes::INCOMPLETE_ANSWER, "");
        let pages = stream::iter(vec![Ok(1), Ok(2), Err(broken()), Ok(3)]);
        let read: Vec<_> = read_ahead(pages).collect().await;
        assert_eq!(read, [Ok(1), Ok(2), Err(broken()), Ok(3)]);
    }

    #[tokio::test]
    async fn a_panic_is_not_an_end() {
        let pages = stream::iter([1]).map(|page| if page == 1 { panic!("broken") } else { Ok(page) });
        let reading = tokio::spawn(read_ahead(pages).collect::<Vec<_>>());
        assert!(reading.await.is_err_and(|error| error.is_panic()));
    }

    #[test]
    fn an_object_without_rows_is_no_page() {
        assert!(serde_json::from_str::<Page<u8>>("{}").is_err());
        assert!(serde_json::from_str::<Page<u8>>("\"\"").is_err());
        let page: Page<u8> =
            serde_json::from_str(r#"{"value":[],"nextLink":null,"count":0}"#).expect("a page");
        assert!(page.value.is_empty() && page.next_link.is_none());
    }
}
