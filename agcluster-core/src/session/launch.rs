//! What is asked of a launch.

use std::collections::BTreeMap;

use agcluster_protocol::workspace::git::Credentials;
use agcluster_protocol::{AgentOptions, DriverKind, ModelAccess};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::turns::Idempotency;
use super::{ApprovalPolicy, Owner, Repository, SessionId, SessionPolicy};
use crate::config::{AgentConfig, LaunchOptions};
use crate::provider::Resources;

/// A session to launch.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The name of the session; one that cannot be guessed when absent. A name that is taken, whoever has it, is
    /// [`SessionError::IdTaken`](super::SessionError::IdTaken).
    pub id: Option<SessionId>,
    /// The name of the configuration, for showing.
    pub config_id: String,
    /// What to run.
    pub agent: AgentSpec,
    /// Whose it is.
    pub owner: Owner,
    /// Which provider, or several to be asked in this order until one has room; the default when empty.
    pub providers: Vec<String>,
    /// How the agent reaches its model; none for an agent that calls no model.
    pub model_access: Option<ModelAccess>,
    /// A repository to clone before its agent starts.
    pub repository: Option<Repository>,
    /// What opens that repository.
    pub git_credentials: Option<Credentials>,
    /// What happens when nobody needs it.
    pub policy: SessionPolicy,
    /// How long people may take to answer its agent.
    pub approvals: ApprovalPolicy,
    /// Whether it is for one answer only: after a start, what an earlier run left of such a session is removed. See
    /// [`Sessions::launch_disposable`](super::Sessions::launch_disposable).
    pub disposable: bool,
    /// Files that its workspace shall begin with, by path beneath it.
    pub files: BTreeMap<String, String>,
    /// Makes a repeated request give the first one's session.
    pub idempotency: Option<Idempotency>,
    /// What to tell whoever launched it, besides what the provider has to say.
    pub warnings: Vec<String>,
}

impl Launch {
    /// A launch of a configuration on the default provider, for an agent that calls no model. Change the fields for
    /// more.
    pub fn new(config: &AgentConfig, launch: LaunchOptions, owner: Owner) -> Self {
        Self {
            id: None,
            config_id: config.id.clone(),
            agent: AgentSpec {
                driver: config.driver,
                options: launch.options,
                resources: config.resources(),
                image: config.image.clone(),
            },
            owner,
            providers: Vec::new(),
            model_access: None,
            repository: None,
            git_credentials: None,
            policy: config.session,
            approvals: config.approvals,
            disposable: false,
            files: config.files.clone(),
            idempotency: None,
            warnings: launch.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What to run and in what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentSpec {
    /// Which driver.
    pub driver: DriverKind,
    /// How the agent shall behave.
    pub options: AgentOptions,
    /// The container's limits.
    pub resources: Resources,
    /// The image; the provider's default when absent.
    pub image: Option<String>,
}

/// What it takes until a session that rests takes turns again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waking {
    /// Whether its container goes on as it was. Otherwise a new one is made: workspace and conversation are as before, and
    /// what ran beside them is gone.
    pub keeps_memory: bool,
    /// How long it took the last time, in microseconds; for a new container, as long as the one before took.
    pub last_us: Option<u64>,
}

/// How long the steps of a launch took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaunchTimings {
    /// Until the platform said that the container runs, in microseconds.
    pub created_us: u64,
    /// Until the agent server answered, in microseconds.
    pub healthy_us: u64,
    /// Until the agent program was ready, in microseconds.
    pub ready_us: u64,
}
