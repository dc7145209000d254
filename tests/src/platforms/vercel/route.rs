//! A port of a session, as it is reached from outside: another address for every session.

use std::net::Ipv4Addr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A port and where it is reached.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) port: u64,
    pub(super) url: String,
}

/// What Vercel's edge answers while nothing listens.
const NOBODY: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Forwards connections to where the port is until the session is over. A change of `cut` breaks those that are open.
pub(super) async fn open(
    port: u64,
    target: String,
    over: CancellationToken,
    cut: watch::Receiver<u64>,
) -> anyhow::Result<Route> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = over.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            if let Ok((client, _)) = accepted {
                let (over, mut cut, target) = (over.clone(), cut.clone(), target.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = forward(client, &target) => {}
                        () = over.cancelled() => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        }
    });
    Ok(Route { port, url })
}

async fn forward(mut client: TcpStream, target: &str) {
    match TcpStream::connect(target).await {
        Ok(mut server) => {
            let _ = client.set_nodelay(true);
            let _ = server.set_nodelay(true);
            // Either side may break off: that is the other's to notice.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
        Err(_) => {
            let _ = client.write_all(NOBODY).await;
            let _ = client.shutdown().await;
        }
    }
}
