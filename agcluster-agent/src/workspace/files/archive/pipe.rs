//! From work that writes and waits to an answer that is sent.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// How much is sent at a time, and how many such pieces wait.
const PIECE: usize = 64 * 1024;
const QUEUE: usize = 4;

/// Two ends. The writing one waits until what it wrote is on its way, and fails when nobody reads any more. Unless
/// [`Writer::end`] is called, the reading one ends with an error.
pub(super) fn pipe() -> (Writer, impl Stream<Item = io::Result<Bytes>> + Send) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let pieces = futures::stream::unfold(Some(receiver), |receiver| async move {
        let mut receiver: mpsc::Receiver<Option<Bytes>> = receiver?;
        match receiver.recv().await {
            Some(piece) => Some((Ok(piece?), Some(receiver))),
            None => Some((Err(io::Error::other("the archive broke off")), None)),
        }
    });
    (Writer { sender, waiting: BytesMut::with_capacity(PIECE) }, pieces)
}

/// The end that is written to, by a thread that may wait.
pub(super) struct Writer {
    sender: mpsc::Sender<Option<Bytes>>,
    waiting: BytesMut,
}

impl Writer {
    /// Says that everything was written.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(None)
    }

    fn send(&self, piece: Option<Bytes>) -> io::Result<()> {
        self.sender.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = self.waiting.split().freeze();
        self.send(Some(piece))
    }
}

/// What waits, for code that is written for what does not. Only for threads that may wait.
pub(super) struct Waiting<T>(pub(super) T);

impl<T: Write + Unpin> AsyncWrite for Waiting<T> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl<T: io::Read + Unpin> AsyncRead for Waiting<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.read(buffer.initialize_unfilled())?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}
