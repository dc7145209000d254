//! Reading what stands behind the question mark.

use agcluster_protocol::codes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};

use super::refusal::Refusal;

/// The parameters of a request, with our own words when they are wrong.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Refusal))]
pub(crate) struct Parameters<T>(pub(crate) T);

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        Self::new(codes::INVALID_REQUEST, format!("a parameter is not what this route takes: {text}"))
    }
}
