//! The loopback port through which git talks to one repository elsewhere, during one command.
//!
//! Git runs as the agent's user and knows only this port and a path on it that cannot be guessed. The credentials are added
//! here, so they are in no environment, argument, file or process that the agent could read; and they go nowhere but to the
//! host they are for.

mod destination;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::TokenDigest;
use crate::http::Refusal;
use crate::loopback::{self, Loopback};
use crate::outbound;
pub(crate) use destination::Destination;
use destination::Trouble;

/// What git may do through the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Read.
    Fetch,
    /// Write.
    Push,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Fetch => "git-upload-pack",
            Self::Push => "git-receive-pack",
        }
    }
}

/// The open port. When this is dropped it closes, and what is under way through it breaks off.
#[derive(Debug)]
pub(crate) struct GitRelay {
    port: Loopback,
    token: String,
    shared: Arc<Shared>,
    _closed: DropGuard,
}

#[derive(Debug)]
struct Shared {
    token: TokenDigest,
    service: Service,
    destination: Destination,
    trouble: Mutex<Option<Trouble>>,
    closed: CancellationToken,
}

impl GitRelay {
    /// Opens a port from which there is a way to a repository, for one service.
    pub(crate) async fn open(destination: Destination, service: Service) -> std::io::Result<Self> {
        let token = loopback::random_token()?;
        let closed = CancellationToken::new();
        let shared = Arc::new(Shared {
            token: TokenDigest::of(&token),
            service,
            destination,
            trouble: Mutex::default(),
            closed: closed.clone(),
        });
        let port = Loopback::serve(Router::new().fallback(forward).with_state(shared.clone())).await?;
        Ok(Self { port, token, shared, _closed: closed.drop_guard() })
    }

    /// What stands for the repository's URL.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.port.url(), self.token)
    }

    /// What was in the way of the last request, if something was: git itself would not say it as well.
    pub(crate) fn trouble(&self) -> Option<Refusal> {
        let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.map(|trouble| self.shared.destination.refusal(trouble))
    }
}

async fn forward(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let Some(call) = call(&shared, &request) else { return StatusCode::NOT_FOUND.into_response() };
    outbound::strip(request.headers_mut());
    let (parts, body) = request.into_parts();
    let sent = shared.destination.send(call, shared.service.name(), parts.headers, body);
    let Some(sent) = shared.closed.run_until_cancelled(sent).await else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let outcome = sent.and_then(|answer| match Trouble::of(answer.status()) {
        Some(trouble) => Err(trouble),
        None => Ok(answer),
    });
    *shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = outcome.as_ref().err().copied();
    match outcome {
        Ok(answer) => {
            let closed = shared.closed.clone();
            answer.map(|body| Body::from_stream(body.into_data_stream().take_until(closed.cancelled_owned())))
        }
        Err(trouble) => trouble.status().into_response(),
    }
}

/// The two requests that git makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    /// What is there?
    Discover,
    /// The exchange itself.
    Exchange,
}

/// What a request is, if it may pass.
fn call(shared: &Shared, request: &Request) -> Option<Call> {
    let (token, rest) = request.uri().path().strip_prefix('/')?.split_once('/')?;
    if !shared.token.matches(token) || shared.closed.is_cancelled() {
        return None;
    }
    let service = shared.service.name();
    let asked = request.uri().query().and_then(|query| query.strip_prefix("service="));
    match *request.method() {
        Method::GET if rest == "info/refs" && asked == Some(service) => Some(Call::Discover),
        Method::POST if rest == service && request.uri().query().is_none() => Some(Call::Exchange),
        _ => None,
    }
}
