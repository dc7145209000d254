//! A port on the loopback interface, for a program that runs in this container.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// An open port. It takes no new connections when this is dropped.
#[derive(Debug)]
pub(crate) struct Loopback {
    address: SocketAddr,
    _close: DropGuard,
}

impl Loopback {
    /// Opens a port that serves these routes.
    pub(crate) async fn serve(router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY cannot be set");
            }
        });
        let close = CancellationToken::new();
        let closed = close.clone();
        tokio::spawn(async move {
            let serve = axum::serve(listener, router).with_graceful_shutdown(closed.cancelled_owned());
            if let Err(error) = serve.await {
                tracing::error!(%error, "a port on the loopback interface broke off");
            }
        });
        Ok(Self { address, _close: close.drop_guard() })
    }

    /// Its URL, without a last slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A name that cannot be guessed.
pub(crate) fn random_token() -> io::Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| io::Error::other(format!("the system gives no random numbers: {error}")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
