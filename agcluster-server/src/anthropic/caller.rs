//! Who is asking, as Anthropic's clients say it.

use agcluster_core::protocol::Secret;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::Problem;
use crate::auth::{Bearer, Caller};

const KEY: &str = "x-api-key";

/// Whoever holds the key in `x-api-key`, or the bearer key.
#[derive(Debug, Clone)]
pub(crate) struct AnyCaller(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for AnyCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = parts.headers.get(KEY).and_then(|key| key.to_str().ok()).map(str::trim);
        let key = key.filter(|key| !key.is_empty()).map(Secret::new);
        let key = key.or_else(|| Bearer::from_headers(&parts.headers).map(|Bearer(key)| key));
        let key = key.ok_or_else(|| {
            let detail =
                "send the key of the model API as \"x-api-key: KEY\" or \"Authorization: Bearer KEY\"";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        })?;
        Ok(Self(Caller::of(key)))
    }
}
