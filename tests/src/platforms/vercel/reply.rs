//! What a call answers.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::{StatusCode, header};
use serde_json::{Value, json};

/// What a call answers.
pub(super) enum Reply {
    Json(Value),
    /// Lines of JSON, as they come.
    Lines(BoxStream<'static, Value>),
    Bytes(Vec<u8>),
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) retry_after: Option<u64>,
}

pub(super) type Answer = Result<Reply, Refusal>;

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), retry_after: None }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "bad_request", message)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, "not_found", format!("{what} not found"))
    }
}

impl From<anyhow::Error> for Refusal {
    /// The engine behind the fake failed.
    fn from(error: anyhow::Error) -> Self {
        Self::new(500, "internal_server_error", format!("{error:#}"))
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let body = json!({"error": {"code": refusal.code, "message": refusal.message}});
        let mut response = of_json(&body);
        *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::IM_A_TEAPOT);
        if let Some(seconds) = refusal.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Json(value) => of_json(&value),
            Reply::Bytes(bytes) => of(Body::from(bytes), "application/octet-stream"),
            Reply::Lines(lines) => {
                use futures::StreamExt;
                let lines =
                    lines.map(|line| Ok::<_, std::convert::Infallible>(Bytes::from(format!("{line}\n"))));
                of(Body::from_stream(lines), "application/x-ndjson")
            }
        }
    }
}

fn of_json(value: &Value) -> Response {
    of(Body::from(value.to_string()), "application/json; charset=utf-8")
}

fn of(body: Body, kind: &'static str) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// An answer whose connection breaks before its end.
pub(super) fn broken() -> Response {
    let pieces = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("cut"))]);
    of(Body::from_stream(pieces), "application/json")
}
