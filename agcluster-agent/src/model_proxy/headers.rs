//! Headers that do not go through.

use axum::http::header::{self, HeaderMap, HeaderName};

use crate::outbound;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a client shows to be let through.
pub(super) fn credentials(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get(API_KEY) {
        return key.to_str().ok();
    }
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Removes credentials, and what is meant for the next hop alone.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(API_KEY);
    outbound::strip(headers);
}
