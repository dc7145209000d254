//! Messages page by page.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;

use super::super::{Result, Session};
use super::{Message, MessageBuilder};

/// The most records that one read takes into memory.
const RECORDS: usize = 256;
/// A page ends early when its messages came from so many bytes of events.
const PAGE_BYTES: usize = 4 << 20;

/// Some messages of a session.
#[derive(Debug, Clone)]
pub struct MessagePage {
    /// The messages, oldest first. The last may not be complete.
    pub messages: Vec<Message>,
    /// Behind which event the next page begins, when there is one now.
    pub next: Option<u64>,
    /// Behind which event to read on later, when more may have been said: before a message that is not complete.
    pub cursor: u64,
}

impl Session {
    /// Up to `limit` messages, at least one, after a cursor; from the oldest that is kept when there is none.
    ///
    /// # Errors
    /// [`SessionError::Journal`](super::super::SessionError::Journal) for a cursor that is too old or from the future.
    pub async fn messages(self: &Arc<Self>, after: Option<u64>, limit: usize) -> Result<MessagePage> {
        let mut limit = limit.max(1);
        let mut projection = Projection::begin(self, after).await?;
        let (mut messages, mut size) = (Vec::<Message>::new(), 0);
        while messages.len() <= limit {
            let Some(more) = projection.next().await? else { break };
            for message in more {
                size += message.size;
                messages.push(message);
                if size > PAGE_BYTES {
                    limit = limit.min(messages.len());
                }
            }
        }
        let next = (messages.len() > limit).then(|| messages[limit - 1].last);
        messages.truncate(limit);
        let cursor = messages.last().map_or(projection.after, |last| {
            if last.complete { last.last } else { last.first.saturating_sub(1) }
        });
        Ok(MessagePage { messages, next, cursor })
    }

    /// All messages that there are now, from the oldest that is kept, a few at a time: no more than a page of them is in
    /// memory.
    ///
    /// # Errors
    /// [`SessionError::Journal`](super::super::SessionError::Journal) when the store does not work.
    pub async fn all_messages(self: &Arc<Self>) -> Result<BoxStream<'static, Result<Vec<Message>>>> {
        let projection = Projection::begin(self, None).await?;
        let pages = futures::stream::try_unfold(projection, |mut projection| async move {
            Ok(projection.next().await?.map(|messages| (messages, projection)))
        });
        Ok(pages.boxed())
    }
}

/// Reads the journal up to where it ends now.
struct Projection {
    session: Arc<Session>,
    builder: Option<MessageBuilder>,
    after: u64,
    head: u64,
}

impl Projection {
    async fn begin(session: &Arc<Session>, after: Option<u64>) -> Result<Self> {
        let head = session.head().await?;
        let after = match after {
            Some(after) => {
                // Nothing is read, but the cursor is looked at.
                session.read(after, 0).await?;
                after
            }
            None => session.journal.store().extent(&session.id).await?.earliest.saturating_sub(1),
        };
        Ok(Self { session: Arc::clone(session), builder: Some(MessageBuilder::default()), after, head })
    }

    async fn next(&mut self) -> Result<Option<Vec<Message>>> {
        let Some(builder) = &mut self.builder else { return Ok(None) };
        if self.after >= self.head {
            let open = self.builder.take().and_then(MessageBuilder::finish);
            return Ok(open.map(|message| vec![message]));
        }
        let page = self.session.read(self.after, RECORDS).await?;
        let mut messages = Vec::new();
        for record in page {
            self.after = record.seq();
            messages.extend(builder.push(&record));
        }
        Ok(Some(messages))
    }
}
