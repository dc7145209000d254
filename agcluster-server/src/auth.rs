//! Who is asking.

use agcluster_core::protocol::Secret;
use agcluster_core::session::{Owner, Session, SessionId};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use std::sync::Arc;

use crate::{AppState, Problem};

/// The key of whoever is asking, from `Authorization: Bearer`.
#[derive(Debug, Clone)]
pub(crate) struct Bearer(pub(crate) Secret);

impl Bearer {
    /// Reads the header; `None` when it is absent or no bearer token.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Self(Secret::new(token)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_headers(&parts.headers).ok_or_else(|| {
            let detail = "send the key that launched the session as \"Authorization: Bearer KEY\"";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        })
    }
}

/// The owner that follows from the bearer key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(pub(crate) Owner);

impl Caller {
    /// The session of that name, if it is the caller's; otherwise it is not found, whether it exists or not.
    pub(crate) fn session(self, state: &AppState, id: &str) -> Result<Arc<Session>, Problem> {
        Ok(state.sessions.get_owned(&SessionId::from_text(id), self.0)?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Bearer(key) = Bearer::from_request_parts(parts, state).await?;
        Ok(Self(Owner::of(&key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn only_a_bearer_token_counts() {
        assert_eq!(Bearer::from_headers(&headers("Bearer sk-1")).unwrap().0.expose(), "sk-1");
        assert_eq!(Bearer::from_headers(&headers("bearer  sk-1 ")).unwrap().0.expose(), "sk-1");
        for bad in ["Bearer", "Bearer ", "Basic abc", "sk-1"] {
            assert!(Bearer::from_headers(&headers(bad)).is_none(), "{bad}");
        }
        assert!(Bearer::from_headers(&HeaderMap::new()).is_none());
    }
}
