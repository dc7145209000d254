//! The span of one request.

use std::time::Duration;

use axum::extract::MatchedPath;
use axum::http::{HeaderName, Request, Response};
use tower_http::trace::{DefaultOnResponse, OnResponse};
use tracing::field::Empty;
use tracing::{Level, Span};

use crate::traces;

/// The name of a request, which its answer has too.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Begins it, in the trace that the request says it is part of. It ends with the body of the answer.
pub(crate) fn begin<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let method = request.method();
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}").trim_end(),
        otel.kind = "server",
        otel.status_code = Empty,
        %method,
        // The path only: a query string is the user's.
        path = request.uri().path(),
        id,
        status = Empty,
    );
    traces::adopt(&span, request.headers());
    span
}

/// Says how it was answered.
pub(crate) fn answered<B>(response: &Response<B>, latency: Duration, span: &Span) {
    let status = response.status();
    span.record("status", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    DefaultOnResponse::new().level(Level::DEBUG).on_response(response, latency, span);
}
