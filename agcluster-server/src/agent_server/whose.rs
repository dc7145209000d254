//! Which session a request is about.

use std::sync::Arc;

use agcluster_core::session::{Session, SessionId, Status};
use agcluster_core::workspace::Workspace;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::auth::Caller;
use crate::extract::Query;
use crate::{AppState, Problem};

const PREFIX: &str = "conv-";

/// Which session a request is about that names none in its path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The session's UUID; the header `X-Session-ID` says the same, and without either the caller's only one that runs is meant.
    session_id: Option<String>,
}

/// What clients of the earlier agent server know a session by.
pub(super) fn uuid_of(id: &SessionId) -> &str {
    id.as_str().strip_prefix(PREFIX).unwrap_or(id.as_str())
}

/// The session of a UUID, whether there is one or not. Its usual name is taken too.
///
/// # Errors
/// 400 for what is no UUID.
pub(super) fn session_id(text: &str) -> Result<SessionId, Problem> {
    let uuid = text.strip_prefix(PREFIX).unwrap_or(text);
    let uuid = Uuid::try_parse(uuid)
        .map_err(|_| Problem::bad_request("invalid_session_id", "a session is named by a UUID"))?;
    Ok(SessionId::from_text(format!("{PREFIX}{uuid}")))
}

/// The caller's session of a UUID.
pub(super) fn session(state: &AppState, caller: &Caller, text: &str) -> Result<Arc<Session>, Problem> {
    caller.session(state, session_id(text)?.as_str())
}

/// The session that a request is about which names none in its path.
#[derive(Debug)]
pub(super) struct Meant(pub(super) Arc<Session>);

impl Meant {
    /// Its workspace.
    pub(super) fn workspace(self) -> Workspace {
        Workspace::of(self.0)
    }
}

impl FromRequestParts<AppState> for Meant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Query(which) = Query::from_request_parts(parts, state).await?;
        Ok(Self(meant(state, &caller, &parts.headers, &which)?))
    }
}

/// That of the header `X-Session-ID` or of the parameter, else the caller's only one that runs.
fn meant(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    which: &Which,
) -> Result<Arc<Session>, Problem> {
    let header = headers.get("x-session-id").and_then(|id| id.to_str().ok());
    if let Some(named) = header.or(which.session_id.as_deref()).filter(|named| !named.is_empty()) {
        return session(state, caller, named);
    }
    let own = state.sessions.list().into_iter().filter(|session| {
        let usable =
            matches!(session.info().state.status, Status::Running | Status::Paused | Status::Sleeping);
        session.owner() == caller.owner && usable
    });
    let mut own = own.map(|session| session.id().clone());
    match (own.next(), own.next()) {
        (Some(id), None) => caller.session(state, id.as_str()),
        _ => Err(Problem::bad_request(
            "session_id_missing",
            "name the session in the header X-Session-ID or as session_id: without it, there must be just one that runs",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_its_uuid_or_by_its_usual_name() {
        let uuid = "0b5e3a9c-6f0e-4d55-9f3a-2b1c4d5e6f70";
        for name in [uuid.to_owned(), format!("conv-{uuid}"), uuid.to_uppercase()] {
            let id = session_id(&name).unwrap();
            assert_eq!((id.as_str(), uuid_of(&id)), (&*format!("conv-{uuid}"), uuid), "{name}");
        }
        for wrong in ["", "conv-", "local-dev", "../x", "conv-conv-0b5e3a9c-6f0e-4d55-9f3a-2b1c4d5e6f70"] {
            assert_eq!(session_id(wrong).unwrap_err().code, "invalid_session_id", "{wrong}");
        }
    }
}
