//! A stream whose every byte is a sign of life.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use crate::vitals::Pulse;

pub(super) struct Heard<R> {
    inner: R,
    pulse: Arc<Pulse>,
}

impl<R> Heard<R> {
    pub(super) fn new(inner: R, pulse: Arc<Pulse>) -> Self {
        Self { inner, pulse }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Heard<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.beat();
        }
        read
    }
}
