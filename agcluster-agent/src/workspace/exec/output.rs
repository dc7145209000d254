//! Where the output of a command goes.

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::workspace::ExecFrame;
use tokio::sync::mpsc;

use super::super::kept::Kept;

/// How long a command that can be gone on with runs while nobody reads.
const GRACE: Duration = Duration::from_secs(120);
/// What a frame takes besides its data.
const AROUND: usize = 64;

/// Where the output of a command goes.
pub(super) enum Output {
    /// To the one who reads it.
    Read(mpsc::Sender<ExecFrame>),
    /// To where it is kept for whoever reads it.
    Kept(Arc<Kept<ExecFrame>>),
}

impl Output {
    /// Sends a frame, when there is room for it. Whether somebody may want the next.
    pub(super) async fn send(&self, frame: ExecFrame) -> bool {
        match self {
            Self::Read(frames) => frames.send(frame).await.is_ok(),
            Self::Kept(kept) => {
                let size = size(&frame);
                kept.room(size).await;
                kept.write(frame, size);
                true
            }
        }
    }

    /// Says how it ended. Nothing follows.
    pub(super) async fn end(&self, frame: ExecFrame) {
        match self {
            // Whoever does not read on does not want to know.
            Self::Read(frames) => drop(frames.send(frame).await),
            Self::Kept(kept) => {
                let size = size(&frame);
                kept.write(frame, size);
                kept.end();
            }
        }
    }

    /// Waits until nobody reads on.
    pub(super) async fn unwanted(&self) {
        match self {
            Self::Read(frames) => frames.closed().await,
            Self::Kept(kept) => kept.abandoned(GRACE).await,
        }
    }
}

fn size(frame: &ExecFrame) -> usize {
    let data = match frame {
        ExecFrame::Stdout { data } | ExecFrame::Stderr { data } => data.0.len(),
        _ => 0,
    };
    data + AROUND
}
