//! What agents ask of people: pending requests and their answers.
//!
//! A request is an event of the journal, and its number there is its name. The session's state knows the requests that are
//! open and until when, kept together with the event; everything else is read from the journal. Of two answers, the one that
//! is written down first counts, also against the answer that nobody gave in time. It is written down before the agent
//! hears of it, and handed over until the agent has it.

mod hand_over;
mod look;
mod news;
mod policy;

use agcluster_protocol::event::{AnsweredBy, PermissionKind, RequestAnswer, Resolution};
use agcluster_protocol::{Answer, Decision, EventBody, TurnId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) use hand_over::keep;
pub use look::{Approval, ApprovalStatus};
pub(super) use news::told;
pub use news::{ApprovalNews, News};
pub use policy::{ApprovalPolicy, OnTimeout};

use super::session_handle::Along;
use super::{Result, Session, SessionError, State};
use crate::journal::{Entry, Patience};

/// Requests of one session that may be open. What is asked beyond that cannot be answered, so it is not allowed.
const OPEN: usize = 64;
/// The longest name of a request.
const NAME: usize = 256;

/// A request that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its name within the agent.
    pub request_id: String,
    /// The turn that waits for it.
    pub turn: Option<TurnId>,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// The journal's cursor somewhere before its event.
    pub after: u64,
    /// When nobody may answer it any more.
    pub expires_at: Timestamp,
    /// The answer that counts, until the agent says that it has it.
    pub answer: Option<RequestAnswer>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// Leave to run a tool.
    Tool,
    /// Answers to questions.
    Question,
    /// Leave to carry a plan out.
    Plan,
}

impl ApprovalKind {
    /// The request that an event makes: its name within the agent, and its kind.
    pub(super) fn of(body: &EventBody) -> Option<(&str, Self)> {
        match body {
            EventBody::PermissionRequested(request) => {
                let plan = request.kind == PermissionKind::Plan;
                Some((&request.request_id, if plan { Self::Plan } else { Self::Tool }))
            }
            EventBody::QuestionAsked { request_id, .. } => Some((request_id, Self::Question)),
            _ => None,
        }
    }

    /// Refuses a decision that is none about such a request.
    fn check(self, decision: &Decision) -> Result<()> {
        let wrong = match (self, decision) {
            (Self::Question, Decision::Allow { .. }) => {
                "this is a question: decide with \"answers\", or \"deny\""
            }
            (Self::Tool | Self::Plan, Decision::Answers { .. }) => {
                "this is no question: decide with \"allow\" or \"deny\""
            }
            (_, Decision::Allow { input: Some(input), .. }) if !input.is_object() => {
                "the input of a tool is an object: send one, or leave it out"
            }
            _ => return Ok(()),
        };
        Err(SessionError::AnswerInvalid(wrong))
    }
}

/// What an event changes of the open requests.
pub(super) enum Note {
    Asked { request_id: String, turn: Option<TurnId>, kind: ApprovalKind },
    Resolved(String),
}

impl Note {
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let body = &entry.event.body;
        if let EventBody::RequestResolved { request_id, .. } = body {
            return Some(Self::Resolved(request_id.clone()));
        }
        let (request_id, kind) = ApprovalKind::of(body)?;
        Some(Self::Asked { request_id: request_id.to_owned(), turn: entry.event.turn, kind })
    }

    /// `after` is a cursor before the event.
    pub(super) fn apply(self, session: &Session, state: &mut State, after: u64) {
        match self {
            Self::Resolved(request_id) => state.asked.retain(|asked| asked.request_id != request_id),
            Self::Asked { request_id, turn, kind } => {
                if state.asked.len() >= OPEN || request_id.len() > NAME {
                    tracing::warn!(session = %session.id, "an agent asks too much: nobody is asked");
                    return;
                }
                state.asked.retain(|asked| asked.request_id != request_id);
                let expires_at = session.approvals.expires(Timestamp::now());
                state.asked.push(Asked { request_id, turn, kind, after, expires_at, answer: None });
            }
        }
    }
}

impl Session {
    /// Answers a permission request or a question by its name within the agent. When it answers, the decision counts; the
    /// agent has it, or gets it as soon as it can be reached. Giving the same answer again is success.
    ///
    /// # Errors
    /// [`SessionError::UnknownRequest`] when nothing waits for it, and those of
    /// [`answer_approval`](Self::answer_approval).
    pub async fn answer(self: &Arc<Self>, answer: &Answer) -> Result<()> {
        let Answer { request_id, decision } = answer.clone();
        self.decide(RequestAnswer { request_id, by: AnsweredBy::Owner, reason: None, decision }).await
    }

    /// Answers the request of this number in the journal, and gives what became of it. Giving the same answer again is
    /// success. The model is told the reason of a denial.
    ///
    /// # Errors
    /// [`SessionError::UnknownApproval`]; [`SessionError::AnswerInvalid`] for a decision that is none about such a request;
    /// [`SessionError::ApprovalAnswered`] when it was decided otherwise, [`SessionError::ApprovalExpired`] when the time for
    /// it is over, [`SessionError::ApprovalWithdrawn`] when the agent no longer wants to know.
    pub async fn answer_approval(
        self: &Arc<Self>,
        seq: u64,
        decision: Decision,
        reason: Option<String>,
    ) -> Result<Approval> {
        let approval = self.approval(seq).await?;
        approval.kind.check(&decision)?;
        let (decision, reason) = match (decision, reason) {
            (Decision::Deny { message, interrupt }, Some(reason)) if message.is_empty() => {
                (Decision::Deny { message: reason, interrupt }, None)
            }
            other => other,
        };
        let request_id = approval.request_id.clone();
        let given = RequestAnswer { request_id, by: AnsweredBy::Owner, reason, decision };
        if approval.status == ApprovalStatus::Pending {
            match self.decide(given.clone()).await {
                // It was settled a moment ago: the journal says how.
                Err(SessionError::UnknownRequest(_)) => {}
                other => other?,
            }
        }
        let approval = self.approval(seq).await?;
        approval.settled_by(&given)?;
        Ok(approval)
    }

    /// Writes a decision down and hands it over.
    async fn decide(self: &Arc<Self>, answer: RequestAnswer) -> Result<()> {
        self.touch();
        self.journal.check()?;
        let session = Arc::clone(self);
        // In a task of its own: a caller who leaves does not leave half a decision behind.
        let decided = tokio::spawn(async move {
            match session.write_down(&answer, Patience::Short).await {
                Ok(true) => session.hand_over_decision(&answer).await,
                Ok(false) => Ok(()),
                Err(error) => {
                    if error.is_undecided_by_the_store() {
                        tokio::spawn(session.hand_over_if_written(answer));
                    }
                    Err(error)
                }
            }
        });
        decided.await.map_err(|_| SessionError::Removed)?
    }

    /// Writes a decision down, if none is yet. `false` when the same one is.
    async fn write_down(&self, answer: &RequestAnswer, patience: Patience) -> Result<bool> {
        let mut same = false;
        let written = self.change(patience, |state| {
            let generation = state.generation;
            let unknown = || SessionError::UnknownRequest(answer.request_id.clone());
            let open = state.asked.iter_mut().find(|asked| asked.request_id == answer.request_id);
            let asked = open.ok_or_else(unknown)?;
            if let Some(earlier) = &asked.answer {
                same = earlier.decision == answer.decision && earlier.by == answer.by;
                return Err(SessionError::ApprovalAnswered(how(earlier)));
            }
            asked.kind.check(&answer.decision)?;
            if answer.by == AnsweredBy::Owner && Timestamp::now() >= asked.expires_at {
                return Err(SessionError::ApprovalExpired);
            }
            asked.answer = Some(answer.clone());
            let turn = asked.turn;
            let event = EventBody::RequestAnswered(answer.clone());
            let row = self.row(action(answer), asked);
            Ok(Along { entries: vec![Entry::own(generation, turn, event)], changes: vec![row] })
        });
        match written.await {
            Err(SessionError::ApprovalAnswered(_)) if same => Ok(false),
            other => other.map(|()| true),
        }
    }
}

/// What is done by an answer, as the audit names it.
fn action(answer: &RequestAnswer) -> &'static str {
    match (answer.by, &answer.decision) {
        (AnsweredBy::Timeout, _) => "approval.expired",
        (_, Decision::Allow { .. }) => "approval.allowed",
        (_, Decision::Deny { .. }) => "approval.denied",
        (_, Decision::Answers { .. }) => "approval.answered",
    }
}

/// How a request was decided, in words.
fn how(answer: &RequestAnswer) -> String {
    let decision = match &answer.decision {
        Decision::Allow { input, scope } => {
            let input = if input.is_some() { " with another input" } else { "" };
            let scope = match scope {
                agcluster_protocol::Scope::Once => "once",
                agcluster_protocol::Scope::Session => "for the session",
            };
            format!("allowed {scope}{input}")
        }
        Decision::Deny { .. } => "denied".to_owned(),
        Decision::Answers { .. } => "answered".to_owned(),
    };
    let by = match answer.by {
        AnsweredBy::Owner => "by its owner",
        AnsweredBy::Timeout => "because nobody answered in time",
    };
    format!("{decision} {by}")
}

/// What an agent's own word says of a request, where no decision is known.
fn of_resolution(resolution: Resolution) -> ApprovalStatus {
    match resolution {
        Resolution::Allowed => ApprovalStatus::Allowed,
        Resolution::Denied => ApprovalStatus::Denied,
        Resolution::Answered => ApprovalStatus::Answered,
        Resolution::Withdrawn => ApprovalStatus::Withdrawn,
    }
}

#[cfg(test)]
mod tests;
