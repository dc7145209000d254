//! What a launch gets where its configuration says nothing.

use agcluster_core::config::{AgentConfig, AgentDefaults as Agent, LaunchOptions};
use agcluster_core::protocol::{DriverKind, ModelAccess, Secret};
use agcluster_core::provider::Resources;
use agcluster_core::session::{Launch, Owner};

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
    /// The models that clients of the model APIs may choose.
    pub models: Vec<String>,
    /// Whether repositories may be reached over `http://`.
    pub git_plain_http: bool,
}

impl AgentDefaults {
    /// A launch of a configuration for whoever holds this key, with every gap filled that can be.
    pub(crate) fn launch(
        &self,
        config: &AgentConfig,
        options: LaunchOptions,
        key: &Secret,
        base_url: Option<String>,
    ) -> Launch {
        let mut launch = Launch::new(config, options, Owner::of(key));
        launch.agent.resources = self.fill(launch.agent.resources);
        launch.model_access = (config.driver != DriverKind::Scripted).then(|| ModelAccess {
            base_url: base_url.unwrap_or_else(|| self.model_base_url.clone()),
            api_key: key.clone(),
        });
        launch
    }

    /// Limits with every gap filled that can be.
    fn fill(&self, given: Resources) -> Resources {
        Resources {
            cpu_millis: given.cpu_millis.or(self.resources.cpu_millis),
            memory_bytes: given.memory_bytes.or(self.resources.memory_bytes),
            storage_bytes: given.storage_bytes.or(self.resources.storage_bytes),
            pids: given.pids.or(self.resources.pids),
        }
    }
}
