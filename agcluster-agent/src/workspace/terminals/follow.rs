//! What one viewer sees of a terminal.

use std::sync::Arc;

use agcluster_protocol::workspace::{Data, TerminalFrame, TerminalSize};
use futures::{Stream, stream};
use tokio::sync::watch;

use super::terminal::{Next, Terminal};

/// A viewer with a cursor of its own. Nothing is kept for it: it reads what the terminal keeps, or is told what it has missed.
struct Viewer {
    terminal: Arc<Terminal>,
    changes: watch::Receiver<()>,
    offset: u64,
    size: TerminalSize,
    done: bool,
}

/// Everything from an offset on, until the shell ends.
pub(super) fn follow(
    terminal: Arc<Terminal>,
    after: u64,
) -> impl Stream<Item = TerminalFrame> + Send + 'static {
    let (changes, size) = terminal.enter();
    let viewer = Viewer { terminal, changes, offset: after, size, done: false };
    stream::unfold(viewer, |mut viewer| async move {
        let frame = viewer.next().await?;
        Some((frame, viewer))
    })
}

impl Viewer {
    async fn next(&mut self) -> Option<TerminalFrame> {
        if self.done {
            return None;
        }
        loop {
            self.changes.mark_unchanged();
            match self.terminal.next(self.offset, self.size) {
                Next::Bytes(bytes) => {
                    let offset = self.offset;
                    self.offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    return Some(TerminalFrame::Output { offset, data: Data(bytes) });
                }
                Next::Lost(oldest) => {
                    let from = std::mem::replace(&mut self.offset, oldest);
                    return Some(TerminalFrame::Lost { from, to: oldest });
                }
                Next::Resized(size) => {
                    self.size = size;
                    return Some(TerminalFrame::Resized(size));
                }
                Next::Exited(exit) => {
                    self.done = true;
                    return Some(TerminalFrame::Exited(exit));
                }
                // The terminal is held here, so its changes do not end.
                Next::Nothing => self.changes.changed().await.ok()?,
            }
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.terminal.leave();
    }
}
