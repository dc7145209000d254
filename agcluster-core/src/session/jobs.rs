//! Turns by their names: read again from any point, looked up, ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::{EventBody, TurnEnd, TurnId};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::Instant;

use super::{Result, Session, SessionError, SessionId};
use crate::journal::{self, Journal, JournalError, Record};
use crate::store::TurnRecord;

/// The most records that one read takes into memory.
const PAGE: usize = 256;
/// How long a cancellation waits for a turn that is just being started.
const CHANGING: Duration = Duration::from_secs(5);
/// A turn that the agent server does not know (any more) is asked for again after so long.
const ASK_AGAIN: Duration = Duration::from_millis(50);

impl Session {
    /// The records of a turn after a cursor; all of them when there is none. They end with the terminal event. Of a turn
    /// that has ended, nothing is given after that, and the answer ends in any case.
    ///
    /// # Errors
    /// [`SessionError::Journal`] for a cursor that is too old or from the future.
    pub async fn resume(
        &self,
        turn: &TurnRecord,
        after: Option<u64>,
    ) -> Result<BoxStream<'static, journal::Result<Arc<Record>>>> {
        let after = after.unwrap_or(turn.after).max(turn.after);
        if turn.state.is_open() {
            return Ok(self.follow(turn.id, after).await?.boxed());
        }
        // Its end was written down together with its terminal event, so that is not behind the head.
        let head = self.kept_head().await?;
        let page = self.read(after, PAGE).await?.into();
        let (journal, session) = (self.journal.clone(), self.id.clone());
        let past = Past { journal, session, turn: turn.id, after, head, page, over: false };
        Ok(futures::stream::unfold(past, |mut past| async move { Some((past.next().await?, past)) }).boxed())
    }

    /// The turn with all that came of it, as far as that is known: what was too long to be kept with it is looked for in the
    /// journal.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn in_full(&self, turn: TurnRecord) -> Result<TurnRecord> {
        if turn.state.is_open() || turn.whole {
            return Ok(turn);
        }
        Ok(match self.journaled_end(&turn).await? {
            Some(end) => TurnRecord { end: Some(Box::new(end)), whole: true, ..turn },
            None => turn,
        })
    }

    /// The number of the newest event that is kept, once it is shown: what is kept is shown a moment later.
    async fn kept_head(&self) -> Result<u64> {
        self.journal.catch_up().await;
        let kept = self.journal.store().extent(&self.id).await?.head;
        let mut head = self.journal.head(&self.id).await?;
        // Of a session that is removed meanwhile, nothing more is shown.
        let _ = head.wait_for(|head| head.seq >= kept).await;
        Ok(kept)
    }

    /// The terminal event of a turn that has ended, while it is kept. Where it has no result, that is the last text that the
    /// agent said.
    async fn journaled_end(&self, turn: &TurnRecord) -> Result<Option<TurnEnd>> {
        let mut records = match self.resume(turn, None).await {
            Err(SessionError::Journal(JournalError::CursorExpired { earliest })) => {
                self.resume(turn, Some(earliest.saturating_sub(1))).await?
            }
            other => other?,
        };
        let mut last_text = None;
        while let Some(record) = records.next().await {
            match record {
                Ok(record) => match &record.event.body {
                    EventBody::Text { text, .. } if record.event.parent.is_none() => {
                        last_text = Some(text.clone());
                    }
                    EventBody::TurnEnded(end) => {
                        return Ok(Some(TurnEnd { result: end.result.clone().or(last_text), ..end.clone() }));
                    }
                    _ => {}
                },
                Err(JournalError::CursorExpired { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Ends a turn: one that waits is taken back, one that runs is interrupted. Its terminal event follows in the journal.
    ///
    /// # Errors
    /// [`SessionError::TurnEnded`] when it is over.
    pub async fn cancel(&self, turn: TurnId) -> Result<()> {
        self.touch();
        if self.unqueue(turn).await? {
            return Ok(());
        }
        // It may be on its way from the queue to its place.
        let _ = tokio::time::timeout(CHANGING, self.changing.lock()).await;
        let patience = Instant::now() + CHANGING;
        let mut state = self.state.subscribe();
        while state.borrow_and_update().turn == Some(turn) {
            match self.interrupt(Some(turn)).await {
                // It is on its way to the agent server, or its end is on the way back.
                Err(SessionError::Idle) if Instant::now() < patience => {
                    let _ = tokio::time::timeout(ASK_AGAIN, state.changed()).await;
                }
                // It waits for a turn of the agent's own.
                Err(SessionError::Idle) => return Err(SessionError::Busy { turn: None }),
                other => return other.map(drop),
            }
        }
        Err(SessionError::TurnEnded(turn))
    }
}

/// Reads a turn that has ended.
struct Past {
    journal: Journal,
    session: SessionId,
    turn: TurnId,
    after: u64,
    head: u64,
    page: VecDeque<Arc<Record>>,
    over: bool,
}

impl Past {
    async fn next(&mut self) -> Option<journal::Result<Arc<Record>>> {
        while !self.over {
            let Some(record) = self.page.pop_front() else {
                if self.after >= self.head {
                    return None;
                }
                match self.journal.read(&self.session, self.after, PAGE).await {
                    Ok(page) => self.page = page.into(),
                    Err(error) => {
                        self.over = true;
                        return Some(Err(error));
                    }
                }
                continue;
            };
            self.after = record.seq();
            self.over = self.after >= self.head;
            if record.event.turn == Some(self.turn) {
                self.over |= record.event.is_terminal();
                return Some(Ok(record));
            }
            if record.event.turn.is_none() {
                return Some(Ok(record));
            }
        }
        None
    }
}
