//! What is downloaded page by page, however much of it there is.

use std::io;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use async_graphql::Pos;
use bytes::Bytes;
use migration::wall;
use sea_orm::DbErr;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::Instrument;
use uuid::Uuid;

use super::answer::{Answer, Refusal};
use super::graphql::{origin, presented};
use super::media::Media;
use super::trace::TraceId;
use super::{audit, office, receipt, tags};
use crate::authentication::{Authenticate, Presented};
use crate::error::ErrorCode;
use crate::permission::Permission;
use crate::services::Services;
use crate::viewer::{Origin, Viewer};

/// Pages that wait for a client that reads slowly, besides the one that is sent.
const BACKLOG: usize = 1;

/// Serves downloads. The work is done on the process's own runtime: a database connection must not die with a
/// thread of the server.
#[derive(Clone)]
pub(super) struct Archive {
    pub(super) services: Services,
    authenticator: Arc<dyn Authenticate>,
    pub(super) runtime: Handle,
}

/// Somebody who wants to download or to send something.
pub(super) struct Asked {
    presented: Presented,
    pub(super) origin: Origin,
    pub(super) query: String,
}

/// Something to download that has begun.
pub(super) struct Download {
    pub(super) content_type: &'static str,
    pub(super) file_name: String,
    pub(super) pages: mpsc::Receiver<io::Result<Bytes>>,
}

/// What is read page by page.
pub(super) trait Pages: Send + 'static {
    /// The next page; none: there are no more.
    fn next(&mut self) -> impl Future<Output = Result<Option<Vec<u8>>, DbErr>> + Send;
}

impl Asked {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        let (presented, query) = (presented(request)?, request.query_string().to_owned());
        Ok(Self { presented, origin: origin(request), query })
    }
}

impl Archive {
    pub(super) fn new(services: Services, authenticator: Arc<dyn Authenticate>, runtime: Handle) -> Self {
        Self { services, authenticator, runtime }
    }

    pub(super) fn configure(&self, config: &mut web::ServiceConfig) {
        config.app_data(web::Data::new(self.clone()));
        audit::configure(config);
        receipt::configure(config);
        tags::configure(config);
        office::configure(config);
    }

    /// Who asks, if that one may.
    pub(super) async fn admit(&self, asked: &Asked, needs: Permission) -> Result<Viewer, Refusal> {
        let viewer = self.authenticator.authenticate(&asked.presented).await?;
        let viewer = viewer.ok_or_else(Refusal::token_missing)?;
        needs.check(&viewer).map_err(|missing| {
            let error = missing.error().into_server_error(Pos::default());
            Refusal::of_errors(ErrorCode::Forbidden, vec![error])
        })?;
        Ok(viewer)
    }

    /// Answers with the download that `begin` begins.
    pub(super) async fn answer<F>(
        &self,
        request: &HttpRequest,
        begin: impl FnOnce(Self, Asked) -> F,
    ) -> HttpResponse
    where
        F: Future<Output = Result<Download, Refusal>> + Send + 'static,
    {
        let trace = request.extensions().get::<TraceId>().cloned().unwrap_or_else(TraceId::new);
        if *request.method() != Method::GET {
            let refusal = Refusal::method("GET", "This is downloaded by GET.");
            return Answer::Refused(refusal).respond(Media::Json, &trace);
        }
        let asked = match Asked::of(request) {
            Ok(asked) => asked,
            Err(refusal) => return Answer::Refused(refusal).respond(Media::Json, &trace),
        };
        let answered = self.runtime.spawn(begin(self.clone(), asked).in_current_span()).await;
        match answered.unwrap_or_else(|error| Err(broken(&error))) {
            Ok(download) => HttpResponse::Ok()
                .content_type(download.content_type)
                .insert_header((CACHE_CONTROL, "no-store"))
                .insert_header((
                    CONTENT_DISPOSITION,
                    format!("attachment; filename=\"{}\"", download.file_name),
                ))
                .streaming(ReceiverStream::new(download.pages)),
            Err(refusal) => Answer::Refused(refusal).respond(Media::Json, &trace),
        }
    }
}

/// Reads `pages` for an organization as the client takes them, behind the second wall too: what the organization is
/// not, no connection shows.
pub(super) fn send(organization: Uuid, pages: impl Pages) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, sent) = mpsc::channel(BACKLOG);
    tokio::spawn(wall::within(Some(organization), read(pages, sender)).in_current_span());
    sent
}

/// Nobody may take a part for the whole, so if a page cannot be read the connection is broken off.
async fn read(mut pages: impl Pages, sender: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let page = match pages.next().await {
            Ok(Some(page)) if page.is_empty() => continue,
            Ok(Some(page)) => Ok(Bytes::from(page)),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "a download broke off");
                Err(io::Error::other("the rest cannot be read"))
            }
        };
        let is_broken = page.is_err();
        if sender.send(page).await.is_err() || is_broken {
            return;
        }
    }
}

/// We broke: the cause goes to the log.
pub(super) fn broken(error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!(error, "a download did not begin");
    Refusal::internal()
}
