//! What can be changed in a store, and what it then holds.

use std::sync::Arc;

use agcluster_protocol::{Outcome, PromptBlock, TurnEnd, TurnId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::Record;
use crate::session::{Owner, SessionId, SessionRecord};

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// Appends events to a session; their numbers follow the newest without a gap. Those that are there already are left
    /// as they are.
    Events {
        /// Whose.
        session: SessionId,
        /// The events, numbered.
        records: Vec<Arc<Record>>,
    },
    /// Puts a session in the place of what was kept of it.
    Session(Box<SessionRecord>),
    /// Forgets a session: its events, turns, conversation and idempotency keys too. Its audit rows stay.
    RemoveSession(SessionId),
    /// Puts a turn in the place of what was kept of it.
    Turn(Box<TurnRecord>),
    /// Appends to the conversation of a session. A chunk with the number of one that is there already is left out.
    Transcript {
        /// Whose.
        session: SessionId,
        /// A number that grows with each chunk of the session.
        seq: u64,
        /// What.
        chunk: TranscriptChunk,
    },
    /// Forgets the conversation of a session.
    ClearTranscript(SessionId),
    /// Notes what a request began. Where the owner's key is there already and began something else, the whole commit fails
    /// with [`StoreError::Conflict`](super::StoreError::Conflict).
    Idempotency(IdempotencyRecord),
    /// Forgets what a request began, when that came to nothing.
    RemoveIdempotency {
        /// Whose request.
        owner: Owner,
        /// Its key.
        key: String,
    },
    /// Puts a user configuration in the place of what was kept of it.
    Config(ConfigRecord),
    /// Forgets a user configuration.
    RemoveConfig {
        /// Whose.
        owner: Owner,
        /// Its id.
        id: String,
    },
    /// Notes what was done. A row that is there already, with the same time and all, is left out.
    Audit(AuditRecord),
    /// Sets a value of the installation's own.
    Meta {
        /// Its name.
        key: String,
        /// The value.
        value: String,
    },
}

/// A turn, from the moment that it was promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// Its name, and that of the job.
    pub id: TurnId,
    /// Its session.
    pub session: SessionId,
    /// Whose session.
    pub owner: Owner,
    /// How far it is.
    pub state: TurnState,
    /// What was asked; empty once the turn has begun, for the journal has it then.
    #[serde(default)]
    pub prompt: Vec<PromptBlock>,
    /// Whether it was asked for as a job.
    pub background: bool,
    /// The journal's cursor before its first event.
    pub after: u64,
    /// When it was promised.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended, and what came of it.
    #[serde(alias = "outcome")]
    pub end: Option<Box<TurnEnd>>,
    /// Whether that is all of it. Where it is not, the journal may still have the rest.
    #[serde(default)]
    pub whole: bool,
}

impl TurnRecord {
    /// How it ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.end.as_ref().map(|end| &end.outcome)
    }
}

/// How far a turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// Waits for the turn before it.
    Queued,
    /// Was promised; whether the agent server has it is not known.
    Sent,
    /// The agent server has it.
    Running,
    /// Over.
    Ended,
}

impl TurnState {
    /// Whether the turn has not ended.
    pub fn is_open(self) -> bool {
        self != Self::Ended
    }
}

/// A piece of a conversation as the vendor's program writes it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranscriptChunk {
    /// The file, as the agent server names it.
    pub path: String,
    /// What was appended to it.
    pub entries: Vec<Value>,
}

/// What a request with an idempotency key began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// Whose request.
    pub owner: Owner,
    /// Its key.
    pub key: String,
    /// A digest of what was asked, in hex.
    pub fingerprint: String,
    /// The session it began, or began something in.
    pub session: SessionId,
    /// The turn it began.
    pub turn: Option<TurnId>,
    /// When.
    pub at: Timestamp,
}

/// A user's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// Whose.
    pub owner: Owner,
    /// Its id.
    pub id: String,
    /// The document.
    pub document: Value,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Something that was done in somebody's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// In whose name.
    pub owner: Owner,
    /// What, as a word: `session.launched`, `session.removed`.
    pub action: String,
    /// To what.
    pub subject: Subject,
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The session.
    pub session: SessionId,
    /// The turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// What its agent asked of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<AskedSubject>,
}

/// What an agent asked of people, as far as it is needed to find it in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AskedSubject {
    /// Its name within the agent.
    pub request_id: String,
    /// The journal's cursor somewhere before its event.
    pub after: u64,
    /// When nobody may answer it any more.
    pub expires_at: Timestamp,
}
