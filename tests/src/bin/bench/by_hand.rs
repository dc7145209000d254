//! A request written by hand: next to nothing is to be done for what follows its answer's head.

use anyhow::{Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Asks for a path. When it answers, the connection is behind the status of an answer that is a success.
///
/// # Errors
/// When it is refused.
pub(crate) async fn get(
    connection: &mut (impl AsyncRead + AsyncWrite + Unpin),
    path: &str,
    token: &str,
) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut status = [0; 12];
    connection.read_exact(&mut status).await?;
    ensure!(&status == b"HTTP/1.1 200", "{path} was answered {}", String::from_utf8_lossy(&status));
    Ok(())
}
