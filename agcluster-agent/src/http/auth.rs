//! The bearer token.

use std::sync::Arc;

use agcluster_protocol::codes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::refusal::Refusal;
use crate::server::Shared;

pub(super) async fn require_token(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let opens = bearer(request.headers()).is_some_and(|token| shared.opens(token));
    if !opens {
        return Err(Refusal::new(
            codes::UNAUTHORIZED,
            "send the token this agent server was started for as `Authorization: Bearer …`",
        ));
    }
    Ok(next.run(request).await)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
