//! Whether the process lives, and whether it can serve.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use futures::future::{BoxFuture, FutureExt, join_all};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// One thing that has to work before requests are sent here.
#[derive(Clone)]
pub struct Check {
    name: &'static str,
    run: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Check {
    /// A check of the thing called `name`; why it fails goes to the log and nowhere else.
    pub fn new<F, T>(name: &'static str, check: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, run: Arc::new(move || check().boxed()) }
    }

    async fn passes(&self) -> bool {
        let result = tokio::time::timeout(PATIENCE, (self.run)()).await;
        let result = result.unwrap_or_else(|_| Err("it took too long".to_owned()));
        if let Err(reason) = &result {
            tracing::warn!(check = self.name, reason, "not ready");
        }
        result.is_ok()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

/// All the checks.
pub(super) struct Readiness {
    checks: Vec<Check>,
    runtime: Handle,
    shutdown: CancellationToken,
}

impl Readiness {
    pub(super) fn new(checks: Vec<Check>, runtime: Handle, shutdown: CancellationToken) -> Self {
        Self { checks, runtime, shutdown }
    }
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<&'static str, &'static str>,
}

/// The process lives if it answers.
pub(super) async fn healthz() -> HttpResponse {
    respond(HttpResponse::Ok(), &Report { status: "ok", checks: BTreeMap::new() })
}

/// 503 as long as something does not work, with its name, and once the process is about to stop.
pub(super) async fn readyz(readiness: web::Data<Readiness>) -> HttpResponse {
    let checks = readiness.checks.clone();
    let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
    let count = checks.len();
    let run = async move { join_all(checks.iter().map(Check::passes)).await };
    let passed = readiness.runtime.spawn(run).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a readiness check broke");
        vec![false; count]
    });
    let ready = passed.iter().all(|passed| *passed) && !readiness.shutdown.is_cancelled();
    let told = passed.iter().map(|passed| if *passed { "ok" } else { "failed" });
    let checks = names.into_iter().zip(told).collect();
    if ready {
        respond(HttpResponse::Ok(), &Report { status: "ok", checks })
    } else {
        respond(HttpResponse::ServiceUnavailable(), &Report { status: "unavailable", checks })
    }
}

fn respond(mut response: actix_web::HttpResponseBuilder, report: &Report) -> HttpResponse {
    response.insert_header((CACHE_CONTROL, "no-store")).json(report)
}
