//! The loopback port through which the agent program talks to its model.
//!
//! The program knows only this port and a token that is good for nothing else. The key is added here, so it is in no
//! environment, file or process that the program's tools could read.

mod direct;
mod headers;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use agcluster_protocol::ModelAccess;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::json;

use crate::TokenDigest;
use crate::driver::DriverError;
use crate::loopback::{self, Loopback};
use crate::vitals::{ModelClock, OpenCall};

/// The way to the model.
#[async_trait]
pub(crate) trait ModelRoute: Send + Sync {
    /// Sends a request on and gives the beginning of the answer; both bodies are streamed. The request has no
    /// credentials: the route adds them.
    async fn send(&self, request: Request) -> Result<Response, RouteError>;
}

/// What the error is called when the model cannot be reached: not the vendor's name for anything, so that it can be told
/// from the vendor's errors.
pub(crate) const UNREACHABLE: &str = "model_unreachable";

/// The model could not be reached. One sentence, without any secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RouteError(String);

/// The open port. It closes when this is dropped.
pub(crate) struct ModelProxy {
    port: Loopback,
    token: Arc<Mutex<Option<TokenDigest>>>,
    clock: Arc<ModelClock>,
}

#[derive(Clone)]
struct Shared {
    token: Arc<Mutex<Option<TokenDigest>>>,
    route: Arc<dyn ModelRoute>,
    clock: Arc<ModelClock>,
}

impl ModelProxy {
    /// Opens a port from which there is a way to the model.
    pub(crate) async fn open(access: &ModelAccess) -> Result<Self, DriverError> {
        let route = Arc::new(direct::Direct::new(access)?);
        Self::with_route(route).await.map_err(|error| {
            DriverError::StartFailed(format!("no port can be opened on the loopback interface: {error}"))
        })
    }

    async fn with_route(route: Arc<dyn ModelRoute>) -> io::Result<Self> {
        let token = Arc::new(Mutex::new(None));
        let clock = ModelClock::new();
        let shared = Shared { token: token.clone(), route, clock: clock.clone() };
        let router = Router::new().fallback(forward).with_state(shared);
        let port = Loopback::serve(router).await?;
        Ok(Self { port, token, clock })
    }

    /// The clock of the calls that go through.
    pub(crate) fn clock(&self) -> Arc<ModelClock> {
        self.clock.clone()
    }

    /// What the agent program needs as its base URL.
    pub(crate) fn base_url(&self) -> String {
        self.port.url()
    }

    /// Makes a token; the one before is good no more.
    pub(crate) fn new_token(&self) -> Result<String, DriverError> {
        let token = loopback::random_token().map_err(|error| DriverError::StartFailed(error.to_string()))?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(TokenDigest::of(&token));
        Ok(token)
    }
}

async fn forward(State(shared): State<Shared>, mut request: Request) -> Response {
    let token = *shared.token.lock().unwrap_or_else(PoisonError::into_inner);
    let given = headers::credentials(request.headers());
    if !given.is_some_and(|given| token.is_some_and(|token| token.matches(given))) {
        return vendor_error(
            StatusCode::UNAUTHORIZED,
            "authentication_error",
            "this port is for the agent program of this session",
        );
    }
    headers::strip(request.headers_mut());
    let call = shared.clock.open();
    let clock = shared.clock.clone();
    let request =
        request.map(|body| Body::from_stream(body.into_data_stream().inspect(move |_| clock.beat())));
    let (method, path, since) = (request.method().clone(), request.uri().path().to_owned(), Instant::now());
    match shared.route.send(request).await {
        Ok(response) => {
            let milliseconds = since.elapsed().as_millis();
            tracing::debug!(%method, path, status = response.status().as_u16(), milliseconds, "model call");
            call.beat();
            response.map(|body| watched(body, call))
        }
        Err(error) => {
            tracing::warn!(%method, path, %error, "model call failed");
            vendor_error(StatusCode::BAD_GATEWAY, UNREACHABLE, &error.to_string())
        }
    }
}

/// The body, whose call is under way until it has been read or nobody wants it any more.
fn watched(body: Body, call: OpenCall) -> Body {
    Body::from_stream(body.into_data_stream().inspect(move |_| call.beat()))
}

/// An error in the shape that the vendor's clients expect.
fn vendor_error(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}});
    (status, [("content-type", "application/json")], Body::from(body.to_string())).into_response()
}
