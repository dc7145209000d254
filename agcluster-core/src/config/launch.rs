//! From a configuration to what an agent server is told.

use std::collections::BTreeMap;

use agcluster_protocol::{AgentOptions, PermissionMode, PresetName, PresetTag, Secret, SystemPrompt};

use super::credentials::{Fill, McpEnv, McpServers, Values};
use super::model::AgentConfig;
use super::path::FieldPath;
use super::problem::{ConfigError, FieldProblem};
use super::tools;
use crate::provider::{Resources, parse_size};

/// What applies where a configuration says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentDefaults {
    /// The tools of a configuration without `allowed_tools`; an empty list there is a choice and stays empty.
    pub allowed_tools: Vec<String>,
    /// The system prompt.
    pub system_prompt: Option<SystemPrompt>,
    /// The permission mode; `acceptEdits` when not set.
    pub permission_mode: PermissionMode,
    /// The most model calls in one turn.
    pub max_turns: Option<u32>,
    /// Values that every configuration may use as `${NAME}` in its environment and its MCP servers. Whatever is here can
    /// be read by everyone who may launch an agent.
    pub shared: BTreeMap<String, Secret>,
}

/// An agent's options for one launch.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchOptions {
    /// For `POST /configure` of the agent server.
    pub options: AgentOptions,
    /// What was left out because no value was given for it. Show it to who launches.
    pub warnings: Vec<FieldProblem>,
}

impl LaunchOptions {
    /// Adds to the end of the system prompt, and keeps what is there: the configuration's, or the agent program's own.
    pub fn append_system_prompt(&mut self, more: &str) {
        let join = |prompt: String| format!("{prompt}\n\n{more}");
        let (r#type, preset) = (PresetTag::Preset, PresetName::ClaudeCode);
        self.options.system_prompt = Some(match self.options.system_prompt.take() {
            None => SystemPrompt::Preset { r#type, preset, append: Some(more.to_owned()) },
            Some(SystemPrompt::Text(text)) => SystemPrompt::Text(join(text)),
            Some(SystemPrompt::Preset { r#type, preset, append }) => {
                let append = Some(append.map_or_else(|| more.to_owned(), join));
                SystemPrompt::Preset { r#type, preset, append }
            }
        });
    }
}

impl AgentConfig {
    /// What the agent server is told at a launch with these credentials.
    ///
    /// # Errors
    /// As [`apply_mcp_env`](Self::apply_mcp_env).
    pub fn to_options(
        &self,
        mcp_env: &McpEnv,
        defaults: &AgentDefaults,
    ) -> Result<LaunchOptions, ConfigError> {
        let McpServers { servers, mut warnings } = self.apply_mcp_env(mcp_env, &defaults.shared)?;
        let given = BTreeMap::new();
        let values = Values { given: &given, shared: &defaults.shared };
        let root = FieldPath::default();
        let mut problems = Vec::new();
        let mut fill = Fill { values, path: root.clone(), warnings: &mut warnings, problems: &mut problems };
        let env = fill.variables(
            &self.env,
            &root.key("env"),
            "write the value itself, or let the operator share it",
        );
        ConfigError::check(problems)?;
        let named = self.allowed_tools.as_ref().unwrap_or(&defaults.allowed_tools);
        let options = AgentOptions {
            allowed_tools: with_mcp_tools(named, servers.keys()),
            system_prompt: self.system_prompt.clone().or_else(|| defaults.system_prompt.clone()),
            mcp_servers: servers,
            permission_mode: self.permission_mode.unwrap_or(defaults.permission_mode),
            agents: self.agents.clone().unwrap_or_default(),
            max_turns: self.max_turns.or(defaults.max_turns),
            model: self.model.clone(),
            cwd: self.cwd.clone(),
            env,
            setting_sources: self.setting_sources.clone().unwrap_or_default(),
        };
        Ok(LaunchOptions { options, warnings })
    }

    /// The tools that are allowed at run time: those of the document and, when there are MCP servers, what they offer.
    pub fn effective_tools(&self) -> Vec<String> {
        with_mcp_tools(self.allowed_tools.as_deref().unwrap_or_default(), self.mcp_servers.keys())
    }

    /// The limits as a provider takes them. What the document does not say is `None`.
    pub fn resources(&self) -> Resources {
        let Some(limits) = &self.resource_limits else { return Resources::default() };
        // A size that was never checked and cannot be read must not become "no limit": `None` is the default limit.
        let bytes = |size: &Option<String>| size.as_deref().and_then(|size| parse_size(size).ok());
        Resources {
            cpu_millis: limits.cpu_quota.map(|quota| u64::from(quota) / 100),
            memory_bytes: bytes(&limits.memory_limit),
            storage_bytes: bytes(&limits.storage_limit),
            pids: None,
        }
    }
}

fn with_mcp_tools<'s>(named: &[String], servers: impl Iterator<Item = &'s String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let of_servers: Vec<String> = servers.map(|server| tools::all_of_server(server)).collect();
    let readers = [tools::LIST_MCP_RESOURCES, tools::READ_MCP_RESOURCE].map(str::to_owned);
    let readers = readers.into_iter().filter(|_| !of_servers.is_empty());
    for tool in named.iter().cloned().chain(readers).chain(of_servers.iter().cloned()) {
        if !all.contains(&tool) {
            all.push(tool);
        }
    }
    all
}
