//! Who is asking.

use agcluster_core::protocol::{Secret, TurnId};
use agcluster_core::session::{Owner, Session, SessionError, SessionId};
use agcluster_core::store::TurnRecord;
use agcluster_core::workspace::Workspace;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use uuid::Uuid;

use crate::extract::Path;
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

/// Whoever holds the bearer key.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Whose sessions may be seen.
    pub(crate) owner: Owner,
    key: Secret,
}

impl Caller {
    /// Whoever holds this key.
    pub(crate) fn of(key: Secret) -> Self {
        Self { owner: Owner::of(&key), key }
    }

    /// The key.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    /// The session of that name, if it is the caller's; otherwise it is not found, whether it exists or not. It gets the
    /// key, which it may need to go on after a restart of the server.
    pub(crate) fn session(&self, state: &AppState, id: &str) -> Result<Arc<Session>, Problem> {
        let session = state.sessions.get_owned(&SessionId::from_text(id), self.owner)?;
        session.bring_key(&self.key);
        Ok(session)
    }

    /// The session of the approval of that name and its number there, if it is the caller's; otherwise it is not found,
    /// whether it exists or not.
    pub(crate) fn approval(&self, state: &AppState, name: &str) -> Result<(Arc<Session>, u64), Problem> {
        let (session, seq) = state.sessions.approval(name, self.owner)?;
        session.bring_key(&self.key);
        Ok((session, seq))
    }

    /// The job of that name and its session, if it is the caller's; otherwise it is not found, whether it exists or not.
    pub(crate) async fn job(
        &self,
        state: &AppState,
        id: &str,
    ) -> Result<(TurnRecord, Arc<Session>), Problem> {
        let turn = turn_id(id).ok_or_else(|| SessionError::UnknownTurn(id.to_owned()))?;
        let (record, session) = state.sessions.turn(turn, self.owner).await?;
        session.bring_key(&self.key);
        Ok((record, session))
    }
}

/// The name of a turn as this API writes it; any other spelling of it is none.
pub(crate) fn turn_id(text: &str) -> Option<TurnId> {
    let id = TurnId(Uuid::parse_str(text).ok()?);
    (id.to_string() == text).then_some(id)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Bearer(key) = Bearer::from_request_parts(parts, state).await?;
        Ok(Self::of(key))
    }
}

/// The session that the path names as `{id}`, if it is the caller's.
#[derive(Debug, Clone)]
pub(crate) struct OwnSession(pub(crate) Arc<Session>);

/// The workspace of the session that the path names as `{id}`, if it is the caller's.
#[derive(Debug, Clone)]
pub(crate) struct OwnWorkspace(pub(crate) Workspace);

/// What of a path says which session it is about.
#[derive(Deserialize)]
struct Named {
    id: String,
}

impl FromRequestParts<AppState> for OwnSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Path(Named { id }) = Path::from_request_parts(parts, state).await?;
        Ok(Self(caller.session(state, &id)?))
    }
}

impl FromRequestParts<AppState> for OwnWorkspace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let OwnSession(session) = OwnSession::from_request_parts(parts, state).await?;
        Ok(Self(Workspace::of(session)))
    }
}

/// Whoever is asking, where a key is not needed.
#[derive(Debug, Clone)]
pub(crate) struct MaybeCaller(Option<Owner>);

impl MaybeCaller {
    /// Whose own things may be seen besides those of all.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.0.as_ref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Bearer::from_headers(&parts.headers).map(|Bearer(key)| Owner::of(&key))))
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
