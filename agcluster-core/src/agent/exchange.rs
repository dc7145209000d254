//! A request to an agent server whose bodies are streamed.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use serde::Serialize;

use super::client::refusal;
use super::transport::{Call, RequestBody};
use super::{AgentClient, AgentError, Result};

/// How long reading a whole answer may take.
const WHOLE: Duration = Duration::from_secs(60);

/// A request to the workspace of an agent server.
pub struct Exchange {
    operation: &'static str,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: RequestBody,
    limit: Option<Duration>,
}

/// The answer: never a refusal. Its body comes from a container, which may be hostile: whoever reads it sets bounds.
pub type Exchanged = Response<BoxStream<'static, Result<Bytes>>>;

impl Exchange {
    /// A request without a body, for a path with its query string, beginning with a slash. `operation` names it in errors.
    pub fn new(operation: &'static str, method: Method, path: impl Into<String>) -> Self {
        let (headers, body) = (HeaderMap::new(), RequestBody::Empty);
        Self { operation, method, path: path.into(), headers, body, limit: Some(Duration::from_secs(30)) }
    }

    /// With this header.
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a JSON body.
    ///
    /// # Errors
    /// [`AgentError::Protocol`] when the value cannot be written as JSON.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self> {
        self.body = RequestBody::Json(super::client::json(value)?);
        Ok(self)
    }

    /// With a body that is sent as it comes.
    pub fn stream(mut self, body: BoxStream<'static, std::io::Result<Bytes>>) -> Self {
        self.body = RequestBody::Stream(body);
        self
    }

    /// The longest until the head of the answer is there; 30 seconds unless said otherwise.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Without such a limit, for a body that takes as long as it takes.
    pub fn unlimited(mut self) -> Self {
        self.limit = None;
        self
    }
}

impl AgentClient {
    /// Sends a request and gives the answer once its head is there. Dropping the answer ends the connection.
    ///
    /// # Errors
    /// [`AgentError::Workspace`] for any status but 2xx that is an answer of the workspace itself.
    pub async fn exchange(&self, exchange: Exchange) -> Result<Exchanged> {
        let Exchange { operation, method, path, headers, body, limit } = exchange;
        let call = Call { operation, method, path: &path, headers, body, limit: Duration::MAX };
        let open = self.transport.open(call);
        let response = match limit {
            Some(limit) => tokio::time::timeout(limit, open)
                .await
                .map_err(|_| AgentError::Timeout { operation, limit })??,
            None => open.await?,
        };
        if !response.status().is_success() {
            let status = response.status();
            return Err(refusal(operation, status, response.into_body()).await.of_workspace());
        }
        Ok(response)
    }
}

/// Reads an answer whole, as JSON. Too long a one is refused.
///
/// # Errors
/// [`AgentError::Protocol`] when it is too long, or no such JSON.
pub async fn read_json<T: serde::de::DeserializeOwned>(answer: Exchanged) -> Result<T> {
    let bytes = super::transport::read_all("the request", answer.into_body(), WHOLE).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| AgentError::Protocol(format!("an answer of the workspace cannot be read: {error}")))
}
