//! One turn, as its client sees it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use agcluster_protocol::TurnId;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use crate::journal::{Record, Result};

/// The records of one turn, in order, ending with its terminal event. Dropping it ends nothing: the turn goes on, and its
/// records can be read again from [`after`](Self::after).
pub struct Turn {
    id: TurnId,
    after: u64,
    records: BoxStream<'static, Result<Arc<Record>>>,
    ended: bool,
}

impl Turn {
    pub(super) fn new(id: TurnId, after: u64, journal: BoxStream<'static, Result<Arc<Record>>>) -> Self {
        let records = journal.filter(move |record| {
            let wanted =
                record.as_ref().map_or(true, |record| record.event.turn.is_none_or(|turn| turn == id));
            std::future::ready(wanted)
        });
        Self { id, after, records: records.boxed(), ended: false }
    }

    /// Its name.
    pub fn id(&self) -> TurnId {
        self.id
    }

    /// The journal's cursor before its first record.
    pub fn after(&self) -> u64 {
        self.after
    }
}

impl Stream for Turn {
    type Item = Result<Arc<Record>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = self.records.poll_next_unpin(cx);
        self.ended = match &next {
            Poll::Ready(Some(Ok(record))) => record.event.turn == Some(self.id) && record.event.is_terminal(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        next
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("id", &self.id).field("after", &self.after).finish_non_exhaustive()
    }
}
