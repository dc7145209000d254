//! What a launch gets where its configuration says nothing.

use agcluster_core::config::AgentDefaults as Agent;
use agcluster_core::provider::Resources;

/// What a launch gets where its configuration says nothing.
#[derive(Debug, Clone)]
pub struct AgentDefaults {
    /// For the agent.
    pub agent: Agent,
    /// For its container.
    pub resources: Resources,
    /// The image, for showing; the providers have it in their configuration.
    pub image: String,
    /// The base URL of the model API.
    pub model_base_url: String,
}

impl AgentDefaults {
    /// Limits with every gap filled that can be.
    pub(crate) fn fill(&self, given: Resources) -> Resources {
        Resources {
            cpu_millis: given.cpu_millis.or(self.resources.cpu_millis),
            memory_bytes: given.memory_bytes.or(self.resources.memory_bytes),
            storage_bytes: given.storage_bytes.or(self.resources.storage_bytes),
            pids: given.pids.or(self.resources.pids),
        }
    }
}
