//! The file behind a link that is a secret of its own: whoever has the link has the file. It is opened without a
//! token, and neither the link nor anything the host says is ever logged.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::ETAG;
use reqwest::{Response, StatusCode};
use tokio::time::{sleep, timeout};
use url::Url;
use uuid::Uuid;

use super::{ATTEMPTS, Http, TOTAL_TIMEOUT, backoff, chain, transport};
use crate::error::codes::{self, Meaning};
use crate::error::problem::header;
use crate::error::{Detail, MicrosoftError};

/// A file is read as fast as its rows are stored, so this is for ends that never come.
const WHOLE: Duration = Duration::from_mins(30);
/// Between two pieces.
const SILENCE: Duration = Duration::from_mins(1);
/// A row has a few hundred bytes, and the largest tenants have a million users.
const LONGEST: u64 = 1 << 30;

const SILENT: &str = "the host of the file fell silent";

/// A file that is being read.
pub(crate) struct Download {
    response: Response,
    received: u64,
    correlation_id: Uuid,
}

impl Http {
    /// Opens the link, again if nobody answers.
    pub(crate) async fn download(
        &self,
        link: &Url,
        correlation_id: Uuid,
    ) -> Result<Download, MicrosoftError> {
        let mut failures = 0;
        loop {
            match self.open(link, correlation_id).await {
                Err(MicrosoftError::Unavailable { detail, .. })
                    if detail.meaning == &codes::MICROSOFT_UNAVAILABLE && failures + 1 < ATTEMPTS =>
                {
                    failures += 1;
                    sleep(backoff(failures)).await;
                }
                opened => return opened,
            }
        }
    }

    async fn open(&self, link: &Url, correlation_id: Uuid) -> Result<Download, MicrosoftError> {
        let sent = timeout(TOTAL_TIMEOUT, self.client.get(link.clone()).timeout(WHOLE).send()).await;
        let silent = |_| failure(&codes::MICROSOFT_UNAVAILABLE, SILENT, correlation_id);
        let response = sent.map_err(silent)?.map_err(|error| transport(error, correlation_id).error)?;
        tracing::debug!(
            http.host = link.host_str(),
            http.status = response.status().as_u16(),
            microsoft.correlation_id = %correlation_id,
            "the host of a file answered"
        );
        if response.status() == StatusCode::OK {
            return Ok(Download { response, received: 0, correlation_id });
        }
        Err(refusal(response.status().as_u16(), self.retry_after(response.headers()), correlation_id))
    }
}

impl Download {
    /// The tag of the file.
    pub fn etag(&self) -> Option<String> {
        header(self.response.headers(), ETAG.as_str())
    }

    /// The next piece; none: the file is whole.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, MicrosoftError> {
        let piece = timeout(SILENCE, self.response.chunk()).await;
        let cut = |why| failure(&codes::REPORT_CUT_SHORT, why, self.correlation_id);
        let piece = piece.map_err(|_| cut(SILENT.to_owned()))?.map_err(|error| cut(chain(error)))?;
        self.received += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.received > LONGEST {
            let why = "the file is larger than any known one";
            return Err(failure(&codes::REPORT_UNREADABLE, why, self.correlation_id));
        }
        Ok(piece)
    }
}

/// Of what the host says only the status is known: its text may hold the link.
fn refusal(status: u16, retry_after: Option<Duration>, correlation_id: Uuid) -> MicrosoftError {
    let meaning = match status {
        // No token was sent, so a 401 speaks of the link too.
        401 | 403 | 404 | 410 => &codes::REPORT_LINK_DEAD,
        _ => codes::resource(status, None),
    };
    let detail = detail(meaning, "the host of the file refused", correlation_id);
    MicrosoftError::new(Detail { status: Some(status), ..detail }, retry_after)
}

fn failure(meaning: &'static Meaning, why: impl Into<String>, correlation_id: Uuid) -> MicrosoftError {
    MicrosoftError::new(detail(meaning, why, correlation_id), None)
}

fn detail(meaning: &'static Meaning, why: impl Into<String>, correlation_id: Uuid) -> Detail {
    Detail { correlation_id: Some(correlation_id.to_string()), ..Detail::new(meaning, why) }
}
