//! A line to agent servers that can be cut, for platforms that put none in between themselves.

use std::io;
use std::sync::Arc;

use agcluster_core::layers::{Call, Layer, Next};
use agcluster_core::provider::{Address, Dial, Endpoint, Io, Result};
use async_trait::async_trait;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

/// What a connection holds at most on its way.
const PIPE: usize = 64 << 10;

/// Puts a line between clients and agent servers. Clones cut the same lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Cuts(Arc<watch::Sender<()>>);

impl Cuts {
    /// Breaks every connection that is open now.
    pub(super) fn cut(&self) {
        self.0.send_replace(());
    }
}

impl Layer for Cuts {
    async fn around<'a, T: Send + 'a>(&'a self, _: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        next.run().await
    }

    fn endpoint(&self, endpoint: Endpoint) -> Endpoint {
        let line = Line { target: endpoint.address, cuts: self.clone() };
        Endpoint { address: Address::Dial(Arc::new(line)), ..endpoint }
    }
}

struct Line {
    target: Address,
    cuts: Cuts,
}

#[async_trait]
impl Dial for Line {
    async fn dial(&self) -> io::Result<Box<dyn Io>> {
        let mut far: Box<dyn Io> = match &self.target {
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Address::Dial(dial) => dial.dial().await?,
            Address::Http(url) => {
                let host = url.host_str().ok_or(io::ErrorKind::InvalidInput)?;
                Box::new(TcpStream::connect((host, url.port_or_known_default().unwrap_or(80))).await?)
            }
        };
        let (client, mut near) = tokio::io::duplex(PIPE);
        let mut cut = self.cuts.0.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                // Either side may break off: that is the other's to notice.
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = cut.changed() => {}
            }
        });
        Ok(Box::new(client))
    }
}
