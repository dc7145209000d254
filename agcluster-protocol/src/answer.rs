//! Answers to what an agent asks of people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of `POST /answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    /// The id of the [`crate::EventBody::PermissionRequested`] or [`crate::EventBody::QuestionAsked`].
    pub request_id: String,
    /// The answer itself.
    #[serde(flatten)]
    pub decision: Decision,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The tool may run.
    Allow {
        /// Run it with this input instead of the model's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Value>,
        /// For how long this holds.
        #[serde(default)]
        scope: Scope,
    },
    /// The tool may not run.
    Deny {
        /// Told to the model; when it is empty, something general is.
        #[serde(default)]
        message: String,
        /// Also end the turn.
        #[serde(default)]
        interrupt: bool,
    },
    /// The answers to a question, by question text.
    Answers {
        /// Question text → chosen label or free text.
        answers: BTreeMap<String, String>,
    },
}

/// How long a permission holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// For this call.
    #[default]
    Once,
    /// For every such call of the session.
    Session,
}
