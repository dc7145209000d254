//! How to reach the agent server of a container.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

/// How to reach the agent server of a container, and until when that holds.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// Sent with every request, besides the agent server's own token: what the platform needs to let a request through
    /// and to route it.
    pub headers: HeaderMap,
    /// After this, ask the provider again.
    pub expires_at: Option<Timestamp>,
}

impl Endpoint {
    /// An endpoint that needs no headers and does not expire.
    pub fn new(address: Address) -> Self {
        Self { address, headers: HeaderMap::new(), expires_at: None }
    }
}

/// Where an agent server is.
#[derive(Clone)]
pub enum Address {
    /// An HTTP or HTTPS base URL.
    Http(Url),
    /// A Unix socket on this machine.
    Unix(PathBuf),
    /// A connection that the provider makes itself.
    Dial(Arc<dyn Dial>),
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => write!(f, "{url}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Dial(_) => f.write_str("dialled by the provider"),
        }
    }
}

/// Opens byte streams to one agent server.
#[async_trait]
pub trait Dial: Send + Sync {
    /// A new connection, on which HTTP/1.1 is spoken.
    ///
    /// # Errors
    /// Those of the transport; `ConnectionRefused` while the agent server does not listen yet.
    async fn dial(&self) -> io::Result<Box<dyn Io>>;
}

/// A two-way byte stream.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
