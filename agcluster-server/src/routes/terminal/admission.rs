//! Who may open a terminal, decided before the connection becomes a WebSocket.

use std::sync::Arc;

use agcluster_core::session::{Session, SessionId};
use agcluster_core::workspace::{TicketError, TicketPlace};
use axum::extract::FromRequestParts;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::origin;
use crate::auth::Bearer;
use crate::{AppState, Problem};

/// The subprotocol of terminals.
pub(super) const PROTOCOL: &str = "agcluster.terminal";
/// What stands before a token that is sent as a subprotocol, which a browser can.
const TOKEN_PROTOCOL: &str = "token.";
/// The longest message from a client: something large that was pasted.
const MOST_MESSAGE: usize = 256 * 1024;

/// A request that wants to become a WebSocket.
pub(crate) struct Upgrade(WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        WebSocketUpgrade::from_request_parts(parts, state).await.map(Self).map_err(|_| {
            let detail = "this route is a WebSocket: connect to it as ws:// or wss://";
            Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket_expected", detail)
        })
    }
}

impl Upgrade {
    /// Answers with the WebSocket, and lets it be served.
    pub(super) fn start<F>(self, serve: impl FnOnce(WebSocket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0
            .protocols([PROTOCOL])
            .max_message_size(MOST_MESSAGE)
            .max_frame_size(MOST_MESSAGE)
            .on_upgrade(serve)
    }
}

/// What was let in, and where.
pub(super) struct Admission {
    pub(super) place: TicketPlace,
    pub(super) session: Arc<Session>,
}

/// Takes the token of a request, which must come from where it may, and be for this session if one is named.
pub(super) fn admit(
    state: &AppState,
    headers: &HeaderMap,
    session: Option<&SessionId>,
) -> Result<Admission, Problem> {
    origin::check(headers, &state.allowed_origins)?;
    let token = token(headers).ok_or_else(|| {
        let detail = "send a terminal token as \"Authorization: Bearer TOKEN\" or as the subprotocol \"token.TOKEN\", never in the URL";
        Problem::new(StatusCode::UNAUTHORIZED, "terminal_token_missing", detail)
    })?;
    let place = state.tickets.take(&token, session)?;
    // The session may be gone, or somebody else's, since the token was made.
    let session = state.sessions.get_owned(&place.session, place.owner)?;
    Ok(Admission { place, session })
}

fn token(headers: &HeaderMap) -> Option<String> {
    if let Some(Bearer(token)) = Bearer::from_headers(headers) {
        return Some(token.expose().to_owned());
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.iter().filter_map(|value| value.to_str().ok());
    offered
        .flat_map(|value| value.split(','))
        .find_map(|name| name.trim().strip_prefix(TOKEN_PROTOCOL))
        .map(str::to_owned)
}

impl From<TicketError> for Problem {
    fn from(error: TicketError) -> Self {
        let detail = error.to_string();
        match error {
            TicketError::Unknown => Self::new(StatusCode::UNAUTHORIZED, "terminal_token_invalid", detail),
            TicketError::Used => Self::new(StatusCode::UNAUTHORIZED, "terminal_token_used", detail),
            TicketError::Expired => Self::new(StatusCode::UNAUTHORIZED, "terminal_token_expired", detail),
            TicketError::OtherSession => {
                Self::new(StatusCode::FORBIDDEN, "terminal_token_wrong_session", detail)
            }
            TicketError::NoRandomness => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_either_header() {
        let of = |name: header::HeaderName, value: &str| {
            token(&HeaderMap::from_iter([(name, value.parse().unwrap())]))
        };
        assert_eq!(of(header::AUTHORIZATION, "Bearer abc").as_deref(), Some("abc"));
        let protocols = "agcluster.terminal, token.abc";
        assert_eq!(of(header::SEC_WEBSOCKET_PROTOCOL, protocols).as_deref(), Some("abc"));
        assert_eq!(of(header::SEC_WEBSOCKET_PROTOCOL, "agcluster.terminal"), None);
        assert_eq!(of(header::COOKIE, "token=abc"), None);
    }
}
