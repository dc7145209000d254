//! One request to an agent server, whatever the address.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tracing::Instrument;
use url::Url;

use super::dial::{self, UnixDial};
use super::{AgentError, AgentToken, Result, http_client, trace};
use crate::measure::UnderWay;
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
    /// Beyond those that every request has.
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
    pub(super) limit: Duration,
}

/// What is sent along.
pub(super) enum RequestBody {
    Empty,
    Json(Bytes),
    /// Sent as it comes, as long as it takes.
    Stream(BoxStream<'static, std::io::Result<Bytes>>),
}

impl<'a> Call<'a> {
    /// A request without a body.
    pub(super) fn get(operation: &'static str, path: &'a str, limit: Duration) -> Self {
        Self {
            operation,
            method: Method::GET,
            path,
            headers: HeaderMap::new(),
            body: RequestBody::Empty,
            limit,
        }
    }

    /// A request with a JSON body.
    pub(super) fn post(operation: &'static str, path: &'a str, body: Bytes, limit: Duration) -> Self {
        Self {
            operation,
            method: Method::POST,
            path,
            headers: HeaderMap::new(),
            body: RequestBody::Json(body),
            limit,
        }
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

    /// Whether both reach the same address, as far as addresses can be told apart.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        match (&self.route, &other.route) {
            (Route::Http(_, one), Route::Http(_, another)) => one == another,
            (Route::Dial(_), Route::Dial(_)) => true,
            _ => false,
        }
    }

    /// Sends a request and gives status and body. Ends when the head of the answer is there, or at the call's limit.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<(StatusCode, Body)> {
        let Call { operation, limit, .. } = call;
        tokio::time::timeout(limit, self.exchange(call))
            .await
            .map_err(|_| AgentError::Timeout { operation, limit })?
    }

    async fn exchange(&self, call: Call<'_>) -> Result<(StatusCode, Body)> {
        let response = self.open(call).await?;
        Ok((response.status(), response.into_body()))
    }

    /// Sends a request and gives the answer once its head is there, however long that takes: the request may have to be sent
    /// to its end first.
    pub(super) async fn open(&self, call: Call<'_>) -> Result<Response<Body>> {
        let under_way = UnderWay::asking();
        let span = trace::span(call.operation);
        let answer = self.open_now(call).instrument(span.clone()).await;
        trace::record(&span, &answer);
        answer.map(|answer| answer.map(|body| until_it_ends(body, under_way)))
    }

    async fn open_now(&self, call: Call<'_>) -> Result<Response<Body>> {
        let Call { method, path, mut headers, body, .. } = call;
        headers.extend(self.headers.clone());
        headers.extend(trace::parent());
        if matches!(body, RequestBody::Json(_)) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match &self.route {
            Route::Http(client, base) => {
                let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
                let mut request = client.request(method, url).headers(headers);
                request = match body {
                    RequestBody::Empty => request,
                    RequestBody::Json(body) => request.body(body),
                    RequestBody::Stream(stream) => request.body(reqwest::Body::wrap_stream(stream)),
                };
                let unreachable = |error: reqwest::Error| AgentError::Unreachable(error.without_url().into());
                let mut answer = request.send().await.map_err(unreachable)?;
                let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
                let body = answer.bytes_stream().map(move |piece| piece.map_err(unreachable)).boxed();
                Ok(respond(status, headers, body))
            }
            Route::Dial(dial) => {
                headers.insert(header::HOST, HeaderValue::from_static("agent"));
                let body = match body {
                    RequestBody::Empty => Full::default().map_err(|never| match never {}).boxed_unsync(),
                    RequestBody::Json(body) => Full::new(body).map_err(|never| match never {}).boxed_unsync(),
                    RequestBody::Stream(stream) => {
                        BodyExt::boxed_unsync(StreamBody::new(stream.map_ok(Frame::data)))
                    }
                };
                let mut request = Request::new(body);
                *request.method_mut() = method;
                *request.uri_mut() =
                    path.parse().map_err(|_| AgentError::Protocol(format!("{path:?} is no path")))?;
                *request.headers_mut() = headers;
                let (head, body) = dial::send(dial, request).await?.into_parts();
                let body = body.into_data_stream();
                let body =
                    body.map(|piece| piece.map_err(|error| AgentError::Unreachable(error.into()))).boxed();
                Ok(respond(head.status, head.headers, body))
            }
        }
    }
}

/// The body, during which the request is under way.
fn until_it_ends(body: Body, under_way: UnderWay) -> Body {
    body.inspect(move |_| _ = &under_way).boxed()
}

fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
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
