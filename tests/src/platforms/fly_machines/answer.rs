//! What the fake answers.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// A status and a JSON body.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, body }
    }

    /// As a response with the id that the platform gives every request.
    pub(super) fn response(&self, request_id: &str) -> Response<Body> {
        let text = if self.body.is_null() { String::new() } else { self.body.to_string() };
        respond(self.status, request_id, "application/json", Body::from(text))
    }
}

/// A refusal as most are.
pub(super) fn refuse(status: u16, text: &str) -> Answer {
    Answer::new(status, json!({ "error": text }))
}

/// A response.
pub(super) fn respond(status: u16, request_id: &str, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("fly-request-id", id);
    }
    response
}

/// An answer that breaks off: whoever asked does not learn what came of it.
pub(super) fn lost() -> Response<Body> {
    let broken = futures::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("cut")) });
    Response::new(Body::from_stream(broken))
}
