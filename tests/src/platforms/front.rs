//! What stands between a client and a platform, as Cloudflare's edge does: passes everything on, counts it, and breaks streams when told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A request that came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// What it was answered with.
    pub status: u16,
}

#[derive(Debug)]
struct Shared {
    client: reqwest::Client,
    port: AtomicU16,
    requests: Mutex<Vec<Recorded>>,
    /// Cancelled to break what runs.
    running: Mutex<CancellationToken>,
}

#[derive(Debug)]
pub(crate) struct Front {
    shared: Arc<Shared>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Front {
    /// Before whatever listens on this port.
    pub(crate) async fn of_port(port: u16) -> anyhow::Result<Self> {
        Self::start(port, reqwest::Client::builder()).await
    }

    /// Before whatever listens on this socket.
    pub(crate) async fn of_socket(socket: &Path) -> anyhow::Result<Self> {
        Self::start(0, reqwest::Client::builder().unix_socket(socket)).await
    }

    async fn start(port: u16, client: reqwest::ClientBuilder) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A connection to what was restarted must not be taken again.
        let client = client.no_proxy().pool_max_idle_per_host(0).build()?;
        let shared = Arc::new(Shared {
            client,
            port: AtomicU16::new(port),
            requests: Mutex::default(),
            running: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { shared, address, serving })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn cut(&self) {
        let mut running = self.shared.running.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *running).cancel();
    }

    pub(crate) fn turn_to(&self, port: u16) {
        self.shared.port.store(port, Ordering::Relaxed);
    }

    pub(crate) async fn stop(self) {
        self.cut();
        self.serving.abort();
        // Aborted, which is no news.
        let _ = self.serving.await;
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let url = format!("http://127.0.0.1:{}{path}", shared.port.load(Ordering::Relaxed));
    let mut headers = head.headers;
    headers.remove(header::HOST);
    let mut request = shared.client.request(head.method.clone(), url).headers(headers);
    // None stays none: an empty one is another thing, which not everybody takes.
    if !body.is_end_stream() {
        request = request.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    let sent = request.send().await;
    let status = sent.as_ref().map_or(StatusCode::BAD_GATEWAY, |answer| answer.status());
    let recorded = Recorded { method: head.method, path, status: status.as_u16() };
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
    let token = shared.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = answer.headers().clone();
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    let pieces = answer.bytes_stream().map(|piece| piece.map_err(std::io::Error::other));
    *response.body_mut() = Body::from_stream(until_cut(pieces, token));
    response
}

/// A stream that breaks, rather than ends, when it is told to.
fn until_cut(
    pieces: impl stream::Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    token: CancellationToken,
) -> impl stream::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::unfold((Box::pin(pieces), token, false), |(mut pieces, token, broken)| async move {
        if broken {
            return None;
        }
        match token.run_until_cancelled(pieces.next()).await {
            Some(piece) => Some((piece?, (pieces, token, false))),
            None => {
                let error = std::io::Error::other("the stream was cut");
                Some((Err(error), (pieces, token, true)))
            }
        }
    })
}
