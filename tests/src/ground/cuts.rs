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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_line_carries_until_it_is_cut_and_a_new_one_carries_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("echo.sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let cuts = Cuts::default();
        let Address::Dial(line) = cuts.endpoint(Endpoint::new(Address::Unix(path))).address else {
            panic!("a line is dialled");
        };
        for _ in 0..2 {
            let mut open = line.dial().await.unwrap();
            open.write_all(b"over").await.unwrap();
            let mut echo = [0; 4];
            open.read_exact(&mut echo).await.unwrap();
            assert_eq!(&echo, b"over");
            cuts.cut();
            assert_eq!(open.read(&mut echo).await.unwrap(), 0, "it goes on");
        }
    }
}
