//! Sending an answer: what is sent when, and who hears how it ended.

use super::gate::Gates;
use super::record::{Outcome, Ticket};
use super::sse::Frame;
use bytes::Bytes;
use futures::Stream;
use futures::stream::unfold;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An answer that is being sent.
pub(super) struct Sending {
    pub(super) frames: VecDeque<Frame>,
    pub(super) gates: Arc<Gates>,
    pub(super) stop: CancellationToken,
    pub(super) ticket: Ticket,
}

impl Sending {
    /// The body of the response. An error in it breaks the connection off, so that the client sees no proper end.
    pub(super) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        unfold(Some(self), |sending| async move {
            let mut sending = sending?;
            match sending.next().await {
                Some(Ok(bytes)) => Some((Ok(bytes), Some(sending))),
                Some(Err(error)) => {
                    sending.ticket.settle(Outcome::Broken);
                    Some((Err(error), None))
                }
                None => {
                    sending.ticket.settle(Outcome::Answered(200));
                    None
                }
            }
        })
    }

    /// Waits as the script says, without sending: for an answer that does not stream.
    pub(super) async fn wait_through(mut self) -> io::Result<Ticket> {
        while let Some(bytes) = self.next().await {
            bytes.inspect_err(|_| self.ticket.settle(Outcome::Broken))?;
        }
        Ok(self.ticket)
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            let stop = self.stop.clone();
            let stopped = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                () = self.wait() => false,
            };
            if stopped {
                return Some(Err(io::Error::other("the server ends")));
            }
            match self.frames.pop_front()? {
                Frame::Send(bytes) | Frame::SendOften(bytes, 1) => return Some(Ok(bytes)),
                Frame::SendOften(bytes, times) => {
                    self.frames.push_front(Frame::SendOften(bytes.clone(), times - 1));
                    return Some(Ok(bytes));
                }
                Frame::Break => {
                    // A pause lets the server send what it holds; an error alone would drop it.
                    tokio::task::yield_now().await;
                    return Some(Err(io::Error::other("the script breaks the connection")));
                }
                Frame::Wait(_) | Frame::Gate(_) | Frame::Hang => {}
            }
        }
    }

    /// Waits for what stands first in the queue.
    async fn wait(&self) {
        match self.frames.front() {
            Some(Frame::Wait(time)) => tokio::time::sleep(*time).await,
            Some(Frame::Gate(name)) => {
                let gate = self.gates.named(name);
                gate.reached.cancel();
                gate.opened.cancelled().await;
            }
            Some(Frame::Hang) => std::future::pending().await,
            _ => {}
        }
    }
}
