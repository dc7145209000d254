//! Streams of a workspace: a line of JSON for each thing that happens.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::de::DeserializeOwned;

use crate::agent::{AgentError, Exchanged, Result};

/// The longest line that is read. The workspace's own have a quarter of it at most.
const MOST_LINE: usize = 128 * 1024;
/// The longest silence: the agent server breaks a silence of a third of it.
const SILENCE: Duration = Duration::from_secs(45);

/// The lines of an answer, which a container may have made endless, huge or senseless.
pub(super) struct Frames<T> {
    operation: &'static str,
    body: BoxStream<'static, Result<Bytes>>,
    rest: BytesMut,
    /// How much of the rest was looked through for the end of a line.
    seen: usize,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Frames<T> {
    pub(super) fn new(operation: &'static str, answer: Exchanged) -> Self {
        let body = answer.into_body();
        Self { operation, body, rest: BytesMut::new(), seen: 0, of: PhantomData }
    }

    /// The next line; `None` at the end of the answer. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`] and [`AgentError::Timeout`] when the stream broke or is silent for too long,
    /// [`AgentError::Protocol`] for a line that is none of these, or too long.
    pub(super) async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(end) = self.rest[self.seen..].iter().position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(self.seen + end);
                self.rest.advance(1);
                self.seen = 0;
                let frame = serde_json::from_slice(&line);
                return frame.map(Some).map_err(|error| self.senseless(&error.to_string()));
            }
            self.seen = self.rest.len();
            if self.seen > MOST_LINE {
                return Err(self.senseless("a line of it does not end"));
            }
            let piece = tokio::time::timeout(SILENCE, self.body.next()).await;
            match piece.map_err(|_| AgentError::Timeout { operation: self.operation, limit: SILENCE })? {
                Some(piece) => self.rest.extend_from_slice(&piece?),
                None if self.rest.is_empty() => return Ok(None),
                None => return Err(AgentError::Unreachable("the stream broke within a line".into())),
            }
        }
    }

    fn senseless(&self, why: &str) -> AgentError {
        AgentError::Protocol(format!("the stream of {} cannot be read: {why}", self.operation))
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http::Response;

    use super::*;

    fn frames(pieces: &[&str]) -> Frames<u32> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from((*piece).to_owned()))).collect();
        Frames::new("test", Response::new(stream::iter(pieces).boxed()))
    }

    #[tokio::test]
    async fn lines_are_read_however_they_are_cut() {
        let mut frames = frames(&["1\n2", "3\n", "4", "5", "\n"]);
        for wanted in [Some(1), Some(23), Some(45), None] {
            assert_eq!(frames.next().await.unwrap(), wanted);
        }
    }

    #[tokio::test]
    async fn what_is_hostile_is_an_error_and_takes_no_memory() {
        assert!(matches!(frames(&["x\n"]).next().await, Err(AgentError::Protocol(_))));
        assert!(matches!(frames(&["1"]).next().await, Err(AgentError::Unreachable(_))));
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b' '; 1024]))).boxed();
        let mut endless: Frames<u32> = Frames::new("test", Response::new(endless));
        assert!(matches!(endless.next().await, Err(AgentError::Protocol(_))));
        assert!(endless.rest.len() < 2 * MOST_LINE);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let mut silent: Frames<u32> = Frames::new("test", Response::new(stream::pending().boxed()));
        assert!(matches!(silent.next().await, Err(AgentError::Timeout { .. })));
    }
}
