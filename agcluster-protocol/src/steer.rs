//! `POST /steer`: adding to a turn that runs.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{PromptBlock, TurnId};

/// The name of a prompt that is added to a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct PromptId(pub Uuid);

impl PromptId {
    /// A new name; later ones sort behind earlier ones.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The body of `POST /steer`: a prompt for a turn that runs. The agent takes it up as soon as it can, at the latest when
/// it would otherwise have been done; the turn ends when that is done too.
///
/// It is recorded as a [`PromptAdded`](crate::EventBody::PromptAdded) of the turn, and the answer is the cursor before that
/// event. Sending the same id again while the agent server still knows it adds nothing and gives the first answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steer {
    /// Chosen by the caller.
    pub id: PromptId,
    /// The turn that is meant; when it does not run, the call is refused.
    pub turn: TurnId,
    /// The generation the caller means; another one than the agent server's is refused.
    pub generation: u32,
    /// What the user says.
    pub prompt: Vec<PromptBlock>,
}
