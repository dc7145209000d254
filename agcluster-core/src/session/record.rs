//! What is kept of a session.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AgentId, AgentSpec, ApprovalPolicy, LaunchTimings, Owner, Repository, SessionId, SessionPolicy, State,
};

/// Everything about a session that outlives the process. No secret is among it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its public name.
    pub id: SessionId,
    /// The name of its agent.
    pub agent_id: AgentId,
    /// The configuration it was launched with.
    pub config_id: String,
    /// Whose it is.
    pub owner: Owner,
    /// The provider its container is on.
    pub provider: String,
    /// The providers that may be asked, while it has no container yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// What runs in it, without the secrets of it.
    pub agent: AgentSpec,
    /// What happens when nobody needs it.
    pub policy: SessionPolicy,
    /// How long people may take to answer its agent.
    #[serde(default)]
    pub approvals: ApprovalPolicy,
    /// Whether it is for one answer only, so that nobody comes back to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disposable: bool,
    /// Where its model is; none for an agent that calls no model.
    pub model_base_url: Option<String>,
    /// The repository it begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// When it was launched.
    pub created_at: Timestamp,
    /// When something last acted in it.
    pub last_active: Timestamp,
    /// Files that its workspace shall begin with, until they are there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// What changes.
    pub state: State,
    /// What a launch found out.
    pub facts: Option<LaunchFacts>,
}

/// What a launch found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchFacts {
    /// The agent program's name and version.
    pub agent: String,
    /// What is less than was asked for, one sentence each.
    pub warnings: Vec<String>,
    /// How long it took.
    pub timings: LaunchTimings,
}
