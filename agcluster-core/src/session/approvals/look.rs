//! Approvals as people see them: read from the journal.

use std::sync::Arc;

use agcluster_protocol::event::{AnsweredBy, RequestAnswer, Resolution};
use agcluster_protocol::{Decision, EventBody, TurnId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ApprovalKind, how};
use crate::journal::{JournalError, Record};
use crate::session::{Owner, Result, Session, SessionError, SessionId, Sessions};

/// The most records that one read takes into memory.
const PAGE: usize = 256;
/// Open requests are close to the cursor that is known of them.
const NEAR: usize = 16;

/// Something that an agent asks, or has asked, of people.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The session.
    pub session: SessionId,
    /// The number of its event in the session's journal; with the session, its name.
    pub seq: u64,
    /// Its name within the agent.
    pub request_id: String,
    /// The turn that waits, or waited, for it.
    pub turn: Option<TurnId>,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// Its event: what is asked, in full.
    pub record: Arc<Record>,
    /// Since when it is asked.
    pub since: Timestamp,
    /// When nobody may answer it any more, while it is pending.
    pub expires_at: Option<Timestamp>,
    /// How it stands.
    pub status: ApprovalStatus,
    /// The answer that counts.
    pub answer: Option<RequestAnswer>,
    /// When that was given.
    pub answered_at: Option<Timestamp>,
}

/// How an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Nobody has answered.
    Pending,
    /// It was allowed.
    Allowed,
    /// It was denied.
    Denied,
    /// The questions were answered.
    Answered,
    /// Nobody answered in time, so it was denied.
    Expired,
    /// The agent no longer wants to know, or its turn is over.
    Withdrawn,
}

impl Approval {
    /// Its public name: the session's, a dot, and its number.
    pub fn name(&self) -> String {
        name(&self.session, self.seq)
    }

    pub(super) fn of(session: &Session, record: Arc<Record>) -> Option<Self> {
        let (request_id, kind) = ApprovalKind::of(&record.event.body)?;
        Some(Self {
            session: session.id.clone(),
            seq: record.seq(),
            request_id: request_id.to_owned(),
            turn: record.event.turn,
            kind,
            since: record.event.at,
            expires_at: None,
            status: ApprovalStatus::Pending,
            answer: None,
            answered_at: None,
            record,
        })
    }

    fn decided(&mut self, answer: &RequestAnswer, at: Timestamp) {
        self.status = match (answer.by, &answer.decision) {
            (AnsweredBy::Timeout, _) => ApprovalStatus::Expired,
            (_, Decision::Allow { .. }) => ApprovalStatus::Allowed,
            (_, Decision::Deny { .. }) => ApprovalStatus::Denied,
            (_, Decision::Answers { .. }) => ApprovalStatus::Answered,
        };
        self.answer = Some(answer.clone());
        self.answered_at = Some(at);
    }

    /// Takes note of an event after it; whether nothing more can come of it.
    fn is_settled_by(&mut self, record: &Record) -> bool {
        match &record.event.body {
            EventBody::RequestAnswered(answer) if answer.request_id == self.request_id => {
                self.decided(answer, record.event.at);
                false
            }
            EventBody::RequestResolved { request_id, resolution } if *request_id == self.request_id => {
                if *resolution == Resolution::Withdrawn || self.answer.is_none() {
                    self.status = super::of_resolution(*resolution);
                }
                true
            }
            // A name that is used anew.
            body if ApprovalKind::of(body).is_some_and(|(request_id, _)| request_id == self.request_id) => {
                true
            }
            EventBody::TurnEnded(_) => self.turn.is_some() && record.event.turn == self.turn,
            _ => record.event.generation > self.record.event.generation,
        }
    }

    /// Whether this answer is what settled it.
    ///
    /// # Errors
    /// How it was settled otherwise.
    pub(super) fn settled_by(&self, given: &RequestAnswer) -> Result<()> {
        match (self.status, &self.answer) {
            (ApprovalStatus::Expired, _) => Err(SessionError::ApprovalExpired),
            (ApprovalStatus::Withdrawn, _) | (_, None) => Err(SessionError::ApprovalWithdrawn),
            (_, Some(answer)) if answer.decision == given.decision => Ok(()),
            (_, Some(answer)) => Err(SessionError::ApprovalAnswered(how(answer))),
        }
    }
}

impl Session {
    /// What its agent asks of people now, oldest first.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn approvals(&self) -> Result<Vec<Approval>> {
        let open = self.state.borrow().asked.clone();
        let mut approvals = Vec::with_capacity(open.len());
        for asked in open.into_iter().filter(|asked| asked.answer.is_none()) {
            if let Some(record) = self.request(&asked.request_id, asked.after).await?
                && let Some(approval) = Approval::of(self, record)
            {
                approvals.push(Approval { expires_at: Some(asked.expires_at), ..approval });
            }
        }
        Ok(approvals)
    }

    /// The event of a request, by its name within the agent and a cursor before it; nothing when that is not kept any more.
    pub(super) async fn request(&self, name: &str, mut after: u64) -> Result<Option<Arc<Record>>> {
        loop {
            let page = match self.read(after, NEAR).await {
                Err(SessionError::Journal(JournalError::CursorExpired { earliest })) => {
                    self.read(earliest.saturating_sub(1), NEAR).await?
                }
                other => other?,
            };
            let Some(last) = page.last().map(|record| record.seq()) else { return Ok(None) };
            let is_it = |record: &&Arc<Record>| {
                ApprovalKind::of(&record.event.body).is_some_and(|(request_id, _)| request_id == name)
            };
            if let Some(record) = page.iter().find(is_it) {
                return Ok(Some(Arc::clone(record)));
            }
            after = last;
        }
    }

    /// What was asked with this number in the journal, and what became of it.
    ///
    /// # Errors
    /// [`SessionError::UnknownApproval`] when that number is no request's, or its event is no longer kept.
    pub async fn approval(&self, seq: u64) -> Result<Approval> {
        let unknown = || SessionError::UnknownApproval(name(&self.id, seq));
        let before = seq.checked_sub(1).ok_or_else(unknown)?;
        let record = match self.read(before, 1).await {
            Err(SessionError::Journal(
                JournalError::CursorExpired { .. } | JournalError::CursorInFuture { .. },
            )) => None,
            other => other?.into_iter().next(),
        };
        let mut approval = record.and_then(|record| Approval::of(self, record)).ok_or_else(unknown)?;
        // Looked at first: what is settled meanwhile is then found in the journal.
        let open = self.state.borrow().asked.clone();
        let open =
            open.into_iter().find(|asked| asked.request_id == approval.request_id && asked.after < seq);
        let mut after = seq;
        loop {
            let page = self.read(after, PAGE).await?;
            let Some(last) = page.last().map(|record| record.seq()) else { break };
            if page.iter().any(|record| approval.is_settled_by(record)) {
                if approval.status == ApprovalStatus::Pending {
                    approval.status = ApprovalStatus::Withdrawn;
                }
                return Ok(approval);
            }
            after = last;
        }
        match open {
            Some(asked) if asked.answer.is_none() => {
                approval.status = ApprovalStatus::Pending;
                approval.expires_at = Some(asked.expires_at);
            }
            None if approval.status == ApprovalStatus::Pending => approval.status = ApprovalStatus::Withdrawn,
            _ => {}
        }
        Ok(approval)
    }
}

fn name(session: &SessionId, seq: u64) -> String {
    format!("{session}.{seq}")
}

impl Sessions {
    /// What the agents of an owner's sessions ask of people now, oldest first.
    ///
    /// # Errors
    /// [`SessionError::Journal`] when the store does not work.
    pub async fn approvals(&self, owner: Owner) -> Result<Vec<Approval>> {
        let own = self.list().into_iter().filter(|session| session.owner == owner);
        let asked = own.map(|session| async move { session.approvals().await });
        let mut all = futures::future::try_join_all(asked).await?.concat();
        all.sort_by_key(|approval| approval.since);
        Ok(all)
    }

    /// Moves whenever something is asked, decided or withdrawn in any session.
    pub fn approvals_changed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.cluster.asked.subscribe()
    }

    /// The approval of this name, if it is in a session of this owner's: gives that session, and its number there.
    ///
    /// # Errors
    /// [`SessionError::UnknownApproval`].
    pub fn approval(&self, name: &str, owner: Owner) -> Result<(Arc<Session>, u64)> {
        let unknown = || SessionError::UnknownApproval(name.to_owned());
        let (session, seq) = name.rsplit_once('.').ok_or_else(unknown)?;
        let number = seq.parse().ok().filter(|number: &u64| number.to_string() == seq).ok_or_else(unknown)?;
        let session = self.get_owned(&SessionId::from_text(session), owner).map_err(|_| unknown())?;
        Ok((session, number))
    }
}
