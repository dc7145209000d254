//! What becomes of approvals, over all sessions of an owner, in one order.
//!
//! Whenever something is asked or settled, a row of the audit says so, written together with the event. The rows of a store
//! have numbers in the order in which they were written, so that a number is a cursor over all sessions, also after a restart.
//! What was asked, and how it was answered, stands in the journal of the session.

use std::collections::HashSet;

use super::{Approval, ApprovalStatus, Asked};
use crate::journal::JournalError;
use crate::session::registry::audit;
use crate::session::{Owner, Result, Session, SessionError, SessionId, Sessions};
use crate::store::{AskedSubject, AuditRecord, Change, Subject};

/// Rows that are read at a time.
const PAGE: usize = 256;
/// The most rows of an owner that are looked through for what a reader has missed.
const MOST: usize = 16 * PAGE;

const REQUESTED: &str = "approval.requested";
const WITHDRAWN: &str = "approval.withdrawn";

/// Something that became of an approval.
#[derive(Debug)]
pub struct ApprovalNews {
    /// Its place among the owner's: behind it more can be read. Nothing for one that was asked before such places were kept.
    pub number: Option<u64>,
    /// What.
    pub news: News,
}

/// What became of an approval.
#[derive(Debug)]
pub enum News {
    /// It was asked.
    Requested(Box<Approval>),
    /// It was settled.
    Settled(Box<Approval>),
    /// It was settled, and is no longer kept, as when its session was removed.
    Forgotten {
        /// The session.
        session: SessionId,
        /// Its name within the agent.
        request_id: String,
    },
}

/// A row of the audit that is about an approval.
struct Row {
    number: u64,
    /// How it was settled; nothing when it was asked.
    settled: Option<ApprovalStatus>,
    session: SessionId,
    asked: AskedSubject,
}

impl Row {
    fn of((number, record): (u64, AuditRecord)) -> Option<Self> {
        let settled = match record.action.as_str() {
            REQUESTED => None,
            WITHDRAWN => Some(ApprovalStatus::Withdrawn),
            "approval.allowed" => Some(ApprovalStatus::Allowed),
            "approval.denied" => Some(ApprovalStatus::Denied),
            "approval.answered" => Some(ApprovalStatus::Answered),
            "approval.expired" => Some(ApprovalStatus::Expired),
            _ => return None,
        };
        let Subject { session, request, .. } = record.subject;
        Some(Self { number, settled, session, asked: request? })
    }

    fn key(&self) -> (SessionId, AskedSubject) {
        (self.session.clone(), self.asked.clone())
    }
}

impl Asked {
    fn subject(&self) -> AskedSubject {
        let Self { request_id, after, expires_at, .. } = self;
        AskedSubject { request_id: request_id.clone(), after: *after, expires_at: *expires_at }
    }
}

impl Session {
    /// The row which says that something was done about a request.
    pub(super) fn row(&self, action: &str, asked: &Asked) -> Change {
        let mut row = audit(action, &self.owner, &self.id);
        row.subject = Subject { turn: asked.turn, request: Some(asked.subject()), ..row.subject };
        Change::Audit(row)
    }

    /// What was asked, as it stood when it was; nothing when that is no longer kept.
    async fn asked_as(&self, asked: &AskedSubject) -> Result<Option<Approval>> {
        let record = self.request(&asked.request_id, asked.after).await?;
        let approval = record.and_then(|record| Approval::of(self, record));
        Ok(approval.map(|approval| Approval { expires_at: Some(asked.expires_at), ..approval }))
    }
}

/// The rows for what a change of its open requests tells. A decision has one already.
pub(crate) fn told<'a>(
    session: &'a Session,
    before: &'a [Asked],
    now: &'a [Asked],
) -> impl Iterator<Item = Change> + 'a {
    let same = |asked: &Asked, other: &Asked| asked.subject() == other.subject();
    let is_pending = |asked: &&Asked| asked.answer.is_none();
    let requested = now
        .iter()
        .filter(is_pending)
        .filter(move |asked| !before.iter().any(|earlier| earlier.answer.is_none() && same(earlier, asked)));
    let withdrawn =
        before.iter().filter(is_pending).filter(move |asked| !now.iter().any(|later| same(later, asked)));
    let withdrawn = withdrawn.map(|asked| session.row(WITHDRAWN, asked));
    withdrawn.chain(requested.map(|asked| session.row(REQUESTED, asked)))
}

impl Sessions {
    /// What waits for an answer in an owner's sessions now, oldest first, and the place behind which everything else is to be
    /// [read](Self::approval_news).
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn approvals_and_place(&self, owner: Owner) -> Result<(Vec<ApprovalNews>, u64)> {
        let open = self.approvals(owner).await?;
        let mut unseen: HashSet<(SessionId, String)> =
            open.iter().map(|approval| (approval.session.clone(), approval.request_id.clone())).collect();
        let (mut over, mut waiting) = (HashSet::new(), Vec::new());
        let (mut before, mut place, mut read) = (None, 0, 0);
        // Whatever was asked or settled since is in newer rows than what is looked for.
        while read == 0 || (!unseen.is_empty() && read < MOST) {
            let page =
                self.inner.journal.store().audit(&owner, before, PAGE).await.map_err(JournalError::from)?;
            let Some((last, _)) = page.last() else { break };
            before = Some(*last);
            place = place.max(page.first().map_or(0, |(number, _)| *number));
            read += page.len();
            for row in page.into_iter().filter_map(Row::of) {
                unseen.remove(&(row.session.clone(), row.asked.request_id.clone()));
                if over.insert(row.key()) && row.settled.is_none() {
                    waiting.push(row);
                }
            }
        }
        self.inner.journal.catch_up().await;
        let mut all = Vec::new();
        for approval in open {
            if unseen.contains(&(approval.session.clone(), approval.request_id.clone())) {
                all.push(ApprovalNews { number: None, news: News::Requested(Box::new(approval)) });
            }
        }
        for row in waiting.into_iter().rev() {
            all.extend(self.news(owner, row).await?);
        }
        Ok((all, place))
    }

    /// What was asked and settled in an owner's sessions behind a place, oldest first, and the place behind that.
    ///
    /// # Errors
    /// [`SessionError::Journal`] with [`JournalError::CursorExpired`] when that is more than is looked through, with
    /// [`JournalError::CursorInFuture`] for a place that is none yet, and when the store does not work.
    pub async fn approval_news(&self, owner: Owner, after: u64) -> Result<(Vec<ApprovalNews>, u64)> {
        let (mut rows, mut before, mut newest, mut read) = (Vec::new(), None, None, 0);
        loop {
            let page =
                self.inner.journal.store().audit(&owner, before, PAGE).await.map_err(JournalError::from)?;
            let head = *newest.get_or_insert(page.first().map_or(0, |(number, _)| *number));
            if after > head {
                return Err(JournalError::CursorInFuture { cursor: after, head }.into());
            }
            let (more, last) = (page.len() == PAGE, page.last().map_or(0, |(number, _)| *number));
            read += page.len();
            rows.extend(page.into_iter().take_while(|(number, _)| *number > after).filter_map(Row::of));
            if !more || last <= after {
                break;
            }
            if read >= MOST {
                return Err(JournalError::CursorExpired { earliest: last }.into());
            }
            before = Some(last);
        }
        self.inner.journal.catch_up().await;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows.into_iter().rev() {
            all.extend(self.news(owner, row).await?);
        }
        Ok((all, newest.unwrap_or_default()))
    }

    /// What a row tells. What was asked and is not kept any more is settled, too, and told as that alone.
    async fn news(&self, owner: Owner, row: Row) -> Result<Option<ApprovalNews>> {
        let Row { number, settled, session: id, asked } = row;
        let found = match self.get_owned(&id, owner) {
            Ok(session) => match session.asked_as(&asked).await {
                Ok(approval) => approval.map(|approval| (session, approval)),
                Err(SessionError::NotFound(_)) => None,
                Err(error) => return Err(error),
            },
            Err(_) => None,
        };
        let news = match (settled, found) {
            (None, None) => return Ok(None),
            (None, Some((_, approval))) => News::Requested(Box::new(approval)),
            (Some(status), Some((session, approval))) => match session.approval(approval.seq).await {
                Ok(approval) => News::Settled(Box::new(Approval { status, expires_at: None, ..approval })),
                Err(SessionError::Journal(error @ JournalError::Store(_))) => return Err(error.into()),
                // It was removed a moment ago.
                Err(_) => News::Forgotten { session: id, request_id: asked.request_id },
            },
            (Some(_), None) => News::Forgotten { session: id, request_id: asked.request_id },
        };
        Ok(Some(ApprovalNews { number: Some(number), news }))
    }
}
