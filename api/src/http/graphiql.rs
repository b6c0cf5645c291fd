//! GraphiQL, which lets a person in development read the schema and try it.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpResponse, web};

const PAGE: &str = include_str!("graphiql/page.html");
const START: &str = include_str!("graphiql/start.js");

/// Scripts come from one other place, and only those whose hashes the page names.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self' https://unpkg.com; \
    style-src 'unsafe-inline' https://unpkg.com; font-src data:; img-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Adds `/` and `/graphiql`.
pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/", web::get().to(page))
        .route("/graphiql", web::get().to(page))
        .route("/graphiql.js", web::get().to(start));
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("text/html; charset=utf-8")
        .body(PAGE)
}

async fn start() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("text/javascript; charset=utf-8")
        .body(START)
}
