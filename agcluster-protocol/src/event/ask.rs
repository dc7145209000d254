//! What an agent asks of people.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Decision;

/// A tool wants to run and needs leave. The turn waits until it is answered, withdrawn or interrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PermissionRequest {
    /// Answer under this id.
    pub request_id: String,
    /// The tool call that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// What leave is asked for.
    #[serde(default, skip_serializing_if = "PermissionKind::is_tool")]
    pub kind: PermissionKind,
    /// The tool.
    pub tool: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Its input.
    pub input: Value,
    /// Why it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The path that is out of bounds, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_path: Option<String>,
    /// Rules the vendor offers to add when allowed for the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Value>,
}

/// What leave is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PermissionKind {
    /// To run a tool.
    #[default]
    Tool,
    /// To carry a plan out, which is in the input.
    Plan,
}

impl PermissionKind {
    fn is_tool(&self) -> bool {
        *self == Self::Tool
    }
}

/// A question with options to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Question {
    /// The question; its text is also the key of the answer.
    pub question: String,
    /// A word or two above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What can be chosen.
    #[serde(default)]
    pub options: Vec<QuestionOption>,
    /// Whether several may be chosen.
    #[serde(default, rename = "multiSelect")]
    pub multi_select: bool,
}

/// One answer to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuestionOption {
    /// The answer.
    pub label: String,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// How a request was decided. Said by the control plane, before the agent hears of it; the agent's own
/// [`RequestResolved`](crate::EventBody::RequestResolved) follows when it has taken the decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestAnswer {
    /// The request.
    pub request_id: String,
    /// Who decided.
    pub by: AnsweredBy,
    /// Why, in the words of whoever decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was decided.
    #[serde(flatten)]
    pub decision: Decision,
}

/// Who decided about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// The owner of the session.
    Owner,
    /// Nobody, in the time there was.
    Timeout,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Allowed.
    Allowed,
    /// Denied.
    Denied,
    /// Answered.
    Answered,
    /// The agent no longer wants to know.
    Withdrawn,
}
