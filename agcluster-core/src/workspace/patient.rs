//! Waiting for a container that may never say anything again.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::agent::{AgentError, Result};

/// The longest silence in the middle of an answer.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// The same stream, which ends with an error after so long a silence, and with any error.
pub(super) fn patient(
    operation: &'static str,
    pieces: BoxStream<'static, Result<Bytes>>,
) -> BoxStream<'static, Result<Bytes>> {
    stream::unfold(Some(pieces), move |pieces| async move {
        let mut pieces = pieces?;
        match tokio::time::timeout(SILENCE, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => Some((Err(AgentError::Timeout { operation, limit: SILENCE }), None)),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silence_ends_the_stream_and_slowness_does_not() {
        let slow = stream::unfold(0, |step| async move {
            match step {
                3 => std::future::pending().await,
                _ => tokio::time::sleep(SILENCE / 2).await,
            }
            Some((Ok(Bytes::from_static(b"x")), step + 1))
        });
        let pieces: Vec<_> = patient("reading", slow.boxed()).collect().await;
        assert_eq!(pieces.len(), 4);
        assert!(pieces[..3].iter().all(Result::is_ok));
        assert!(matches!(pieces[3], Err(AgentError::Timeout { operation: "reading", .. })));
    }
}
