//! A stream of server-sent events, as a client sees it.

use anyhow::{Context, bail};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::Value;

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Its id, when with it the client has the whole event.
    pub id: Option<u64>,
    /// Its data; `[DONE]` as a string.
    pub data: Value,
}

impl Frame {
    /// The `msg_type` of a chat's frame, or the `type` of any other.
    pub fn kind(&self) -> &str {
        self.data["msg_type"]
            .as_str()
            .or(self.data["type"].as_str())
            .or(self.data.as_str())
            .unwrap_or_default()
    }
}

/// A stream of frames.
pub struct Chat {
    frames: BoxStream<'static, anyhow::Result<Frame>>,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chat")
    }
}

impl Chat {
    /// The frames of an answer that streams.
    pub fn new(response: reqwest::Response) -> Self {
        let mut last_id = String::new();
        let frames = sseer::EventStream::new(response.bytes_stream()).map(move |event| {
            let event = event.map_err(|error| anyhow::anyhow!("the stream broke: {error}"))?;
            // An event without an id of its own repeats the one before.
            let id = (*event.id != *last_id).then(|| event.id.parse().ok()).flatten();
            last_id = event.id.to_string();
            let data =
                if &*event.data == "[DONE]" { "[DONE]".into() } else { serde_json::from_str(&event.data)? };
            Ok(Frame { id, data })
        });
        Self { frames: frames.boxed() }
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// When the stream breaks or is no JSON.
    pub async fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        self.frames.next().await.transpose()
    }

    /// The next frame of this kind; those before it are given to `seen`.
    ///
    /// # Errors
    /// When the stream ends before.
    pub async fn until(&mut self, kind: &str) -> anyhow::Result<Frame> {
        let mut passed = Vec::new();
        while let Some(frame) = self.next().await? {
            if frame.kind() == kind {
                return Ok(frame);
            }
            passed.push(frame.data.to_string());
        }
        bail!("the stream ended without {kind}; it had {passed:#?}")
    }

    /// Everything until the end.
    ///
    /// # Errors
    /// When it breaks, or does not end as a chat ends: one terminal frame, then `[DONE]`.
    pub async fn rest(mut self) -> anyhow::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await? {
            frames.push(frame);
        }
        let done = frames.pop().context("the stream was empty")?;
        let terminals = frames
            .iter()
            .filter(|frame| matches!(frame.data["type"].as_str(), Some("complete" | "error")))
            .count();
        let last = frames.last().context("the stream had nothing but its end")?;
        if done.data != "[DONE]" || terminals != 1 || !matches!(last.kind(), "complete" | "error") {
            bail!("a chat must end with one terminal frame and [DONE]: {frames:#?} {done:?}");
        }
        Ok(frames)
    }
}
