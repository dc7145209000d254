//! One request to an agent server, whatever the address.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use url::Url;

use super::dial::{self, UnixDial};
use super::{AgentError, AgentToken, Result, http_client};
use crate::provider::{Address, Dial, Endpoint};

/// The longest JSON answer that is read.
const MAX_ANSWER: usize = 4 << 20;

/// The body of an answer, piece by piece.
pub(super) type Body = BoxStream<'static, Result<Bytes>>;

/// One request.
pub(super) struct Call<'a> {
    /// What it is for, in errors.
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// With the query string.
    pub(super) path: &'a str,
    /// JSON.
    pub(super) body: Option<Bytes>,
    pub(super) limit: Duration,
}

impl<'a> Call<'a> {
    /// A request without a body.
    pub(super) fn get(operation: &'static str, path: &'a str, limit: Duration) -> Self {
        Self { operation, method: Method::GET, path, body: None, limit }
    }

    /// A request with a body.
    pub(super) fn post(operation: &'static str, path: &'a str, body: Bytes, limit: Duration) -> Self {
        Self { operation, method: Method::POST, path, body: Some(body), limit }
    }
}

/// Sends requests to one agent server.
#[derive(Clone)]
pub(super) struct Transport {
    route: Route,
    headers: HeaderMap,
}

#[derive(Clone)]
enum Route {
    Http(reqwest::Client, Url),
    Dial(Arc<dyn Dial>),
}

impl Transport {
    pub(super) fn new(endpoint: &Endpoint, token: &AgentToken) -> Result<Self> {
        let route = match &endpoint.address {
            Address::Http(url) => Route::Http(http_client::for_url(url)?, url.clone()),
            Address::Unix(path) => Route::Dial(Arc::new(UnixDial(path.clone()))),
            Address::Dial(dial) => Route::Dial(Arc::clone(dial)),
        };
        let mut headers = endpoint.headers.clone();
        let bearer = format!("Bearer {}", token.secret().expose());
        let mut bearer =
            HeaderValue::try_from(bearer).map_err(|error| AgentError::Protocol(error.to_string()))?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
        Ok(Self { route, headers })
    }

    /// Sends a request and gives status and body. Ends when the head of the answer is there, or at the call's limit.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<(StatusCode, Body)> {
        let Call { operation, limit, .. } = call;
        tokio::time::timeout(limit, self.exchange(call))
            .await
            .map_err(|_| AgentError::Timeout { operation, limit })?
    }

    async fn exchange(&self, Call { method, path, body, .. }: Call<'_>) -> Result<(StatusCode, Body)> {
        match &self.route {
            Route::Http(client, base) => {
                let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
                let mut request = client.request(method, url).headers(self.headers.clone());
                if let Some(body) = body {
                    request = request.header(header::CONTENT_TYPE, "application/json").body(body);
                }
                let response = request
                    .send()
                    .await
                    .map_err(|error| AgentError::Unreachable(error.without_url().into()))?;
                let status = response.status();
                let stream = response.bytes_stream();
                Ok((
                    status,
                    stream
                        .map(|piece| piece.map_err(|e| AgentError::Unreachable(e.without_url().into())))
                        .boxed(),
                ))
            }
            Route::Dial(dial) => {
                let mut request = Request::builder().method(method).uri(path).header(header::HOST, "agent");
                if let Some(headers) = request.headers_mut() {
                    headers.extend(self.headers.clone());
                    if body.is_some() {
                        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    }
                }
                let request = request
                    .body(Full::new(body.unwrap_or_default()))
                    .map_err(|error| AgentError::Protocol(error.to_string()))?;
                let (head, body) = dial::send(dial, request).await?.into_parts();
                let stream = body.into_data_stream();
                Ok((
                    head.status,
                    stream.map(|piece| piece.map_err(|e| AgentError::Unreachable(e.into()))).boxed(),
                ))
            }
        }
    }
}

/// Reads a whole answer, refusing one that is too long.
pub(super) async fn read_all(operation: &'static str, mut body: Body, limit: Duration) -> Result<Vec<u8>> {
    let read = async {
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await {
            let piece = piece?;
            if whole.len() + piece.len() > MAX_ANSWER {
                return Err(AgentError::Protocol(format!(
                    "the answer to {operation} is longer than {MAX_ANSWER} bytes"
                )));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    };
    tokio::time::timeout(limit, read).await.map_err(|_| AgentError::Timeout { operation, limit })?
}
