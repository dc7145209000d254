//! Reading on and on.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::Stream;

use super::log::Follow;
use super::{Journal, Record, Result};
use crate::measure::UnderWay;
use crate::session::SessionId;

/// The most records that one read takes into memory for one reader.
const PAGE: usize = 256;

/// Everything after a cursor, then live, until the journal is closed. The cursor is checked with the first read, so that
/// a wrong one is an error of this call and not of the stream.
///
/// The stream holds at most one page. A reader that is too slow for the retention gets [`CursorExpired`](super::JournalError::CursorExpired).
///
/// # Errors
/// Those of [`Journal::read`].
pub async fn subscribe(
    journal: Journal,
    session: SessionId,
    after: u64,
) -> Result<impl Stream<Item = Result<Arc<Record>>> + Send + use<>> {
    let follow = journal.log(&session).await?.follow();
    let page = journal.read(&session, after, PAGE).await?.into();
    let reader =
        Reader { journal, session, after, follow, page, failed: false, _reading: UnderWay::reading() };
    Ok(futures::stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) }))
}

struct Reader {
    journal: Journal,
    session: SessionId,
    after: u64,
    follow: Follow,
    page: VecDeque<Arc<Record>>,
    failed: bool,
    _reading: UnderWay,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Arc<Record>>> {
        loop {
            if self.failed {
                return None;
            }
            if let Some(record) = self.page.pop_front() {
                self.after = record.seq();
                return Some(Ok(record));
            }
            let head = *self.follow.head.borrow_and_update();
            if head.seq > self.after {
                match self.journal.read_log(self.follow.log(), &self.session, self.after, PAGE).await {
                    Ok(page) => self.page = page.into(),
                    Err(error) => {
                        self.failed = true;
                        return Some(Err(error));
                    }
                }
                continue;
            }
            if head.closed || self.follow.head.changed().await.is_err() {
                return None;
            }
        }
    }
}
