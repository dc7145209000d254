//! What a configuration says.

use std::collections::BTreeMap;

use agcluster_protocol::{
    DriverKind, McpServer, PermissionMode, Secret, SettingSource, SubAgent, SystemPrompt,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::problem::{ConfigError, FieldProblem};
use super::store::ConfigSource;
use super::{document, schema, wire, yaml};
use crate::hex;
use crate::session::{ApprovalPolicy, SessionPolicy};

/// An agent configuration: what an agent is called, what it may do and how much it may use.
///
/// It is read from YAML or JSON by [`from_yaml`](Self::from_yaml) and [`from_json`](Self::from_json), which check
/// it; whoever makes or changes one in code calls [`validate`](Self::validate). It serialises to its JSON document with
/// every field, nulls included, and reading that gives the same configuration again.
///
/// `Debug` hides the values of environment variables and headers; the document shows them, because it is what the
/// user wrote. A credential does not belong there: write `${NAME}` and give the value at launch.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AgentConfig {
    /// Names the configuration: `a-z`, `0-9`, `-` and `_`. The file of a configuration has the same name.
    #[schemars(schema_with = "schema::id")]
    pub id: String,
    /// The name for people.
    #[schemars(schema_with = "schema::name")]
    pub name: String,
    /// What the agent is for.
    #[schemars(schema_with = "schema::text")]
    pub description: Option<String>,
    /// The version of the configuration; free text, `1.0.0` when absent.
    #[schemars(schema_with = "schema::text")]
    pub version: String,
    /// The built-in tools that exist for the model, and tools of MCP servers as `mcp__<server>__<tool>`. `None` leaves
    /// it to [`AgentDefaults`](super::AgentDefaults) and is written as an empty list, an empty list means no tool.
    #[serde(serialize_with = "wire::tools")]
    #[schemars(
        schema_with = "schema::tool_names",
        description = "The built-in tools that exist for the model, and tools of MCP servers as `mcp__<server>__<tool>`. An empty list means no tool; the server's default applies when it is absent."
    )]
    pub allowed_tools: Option<Vec<String>>,
    /// The system prompt.
    #[serde(serialize_with = "wire::system_prompt")]
    #[schemars(schema_with = "schema::system_prompt")]
    pub system_prompt: Option<SystemPrompt>,
    /// MCP servers by name. Their tools are allowed without being named in `allowed_tools`.
    #[serde(serialize_with = "wire::mcp_servers")]
    #[schemars(schema_with = "schema::mcp_servers")]
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// What may run without asking; `None` leaves it to [`AgentDefaults`](super::AgentDefaults).
    #[schemars(
        schema_with = "schema::permission_mode",
        description = "What may run without asking; the server's default applies when it is absent."
    )]
    pub permission_mode: Option<PermissionMode>,
    /// Sub-agents by name.
    #[serde(serialize_with = "wire::agents")]
    #[schemars(schema_with = "schema::sub_agents")]
    pub agents: Option<BTreeMap<String, SubAgent>>,
    /// How much of a machine the agent may use.
    pub resource_limits: Option<ResourceLimits>,
    /// The most model calls in one turn, at least 1.
    #[schemars(schema_with = "schema::max_turns")]
    pub max_turns: Option<u32>,
    /// The model.
    #[schemars(schema_with = "schema::reference")]
    pub model: Option<String>,
    /// The working directory: `/workspace` or beneath.
    #[schemars(schema_with = "schema::cwd")]
    pub cwd: Option<String>,
    /// Environment variables of the agent program.
    #[schemars(schema_with = "schema::env")]
    pub env: BTreeMap<String, Secret>,
    /// Which settings files the agent program reads.
    #[schemars(schema_with = "schema::setting_sources")]
    pub setting_sources: Option<Vec<SettingSource>>,
    /// When it was made; whoever stores it sets it.
    #[schemars(schema_with = "schema::text")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed; whoever stores it sets it.
    #[schemars(schema_with = "schema::text")]
    pub updated_at: Option<Timestamp>,
    /// The container image, instead of the provider's default. Whether a caller may choose one is for the server to decide.
    #[schemars(
        schema_with = "schema::reference",
        description = "The container image, instead of the platform's default."
    )]
    pub image: Option<String>,
    /// Which agent program runs; `claude` when absent.
    #[schemars(schema_with = "schema::driver")]
    pub driver: DriverKind,
    /// What happens to a session that nobody needs and to a turn that gets nowhere, where this configuration knows better than
    /// the server.
    #[serde(skip_serializing_if = "SessionPolicy::is_default")]
    #[schemars(with = "Option<SessionPolicy>")]
    pub session: SessionPolicy,
    /// How long people may take to answer the agent, and what follows when nobody does.
    #[serde(skip_serializing_if = "ApprovalPolicy::is_default")]
    #[schemars(with = "Option<ApprovalPolicy>")]
    pub approvals: ApprovalPolicy,
    /// Files that are in the workspace before the agent starts, by path beneath `/workspace`: at most 100 of 256 KiB in all.
    /// They are written once, and never over something that is there.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(default, schema_with = "schema::seeded_files")]
    pub files: BTreeMap<String, String>,
}

/// How much of a machine an agent may use. What is absent is the provider's default, never "no limit".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ResourceLimits {
    /// Processor time: 100,000 is one processor.
    #[schemars(schema_with = "schema::cpu_quota")]
    pub cpu_quota: Option<u32>,
    /// Memory, such as `4g` or `512m` (powers of 1024).
    #[schemars(schema_with = "schema::size")]
    pub memory_limit: Option<String>,
    /// Workspace, such as `10g` (powers of 1024).
    #[schemars(schema_with = "schema::size")]
    pub storage_limit: Option<String>,
}

/// A configuration that was read, with what is probably a mistake in its document.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadConfig {
    /// The configuration.
    pub config: AgentConfig,
    /// What has no effect or is unwise, such as a field that no configuration has. Show it to the author.
    pub warnings: Vec<FieldProblem>,
}

impl AgentConfig {
    /// Reads a YAML document of at most 256 KiB.
    ///
    /// A field that no configuration has is a warning, not an error: a typo must not pass silently, but the extra
    /// field of a newer or different client must not break it. A field that is there but empty (`null`) counts as absent.
    ///
    /// # Errors
    /// Every problem of the document, each with its field and its line and column; or the one place where it is no
    /// YAML, repeats a key or expands to more than a configuration ever needs.
    pub fn from_yaml(text: &str) -> Result<ReadConfig, ConfigError> {
        document::read(&yaml::parse(text)?)
    }

    /// Reads a JSON document by the same rules as [`from_yaml`](Self::from_yaml). Bounding its size is up to whoever parsed it.
    ///
    /// # Errors
    /// Every problem of the document, each with its field.
    pub fn from_json(document: Value) -> Result<ReadConfig, ConfigError> {
        document::read(&document.into())
    }

    /// Checks a configuration that was made or changed in code, and gives its warnings.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn validate(&self) -> Result<Vec<FieldProblem>, ConfigError> {
        Self::from_json(self.document()?).map(|read| read.warnings)
    }

    /// Its JSON document, which reads back as the same configuration, also where it leaves something to defaults.
    pub(super) fn document(&self) -> Result<Value, ConfigError> {
        let mut document = serde_json::to_value(self).map_err(|_| {
            ConfigError::one(FieldProblem::sentence("", "the configuration cannot be written as JSON"))
        })?;
        if self.allowed_tools.is_none() {
            // For clients it is an empty list, which would be a choice.
            document["allowed_tools"] = Value::Null;
        }
        Ok(document)
    }

    /// The JSON Schema of the format, which `configs/agent.schema.json` holds too.
    pub fn json_schema() -> Value {
        schema::document()
    }

    /// A name for exactly this content: whoever changes a configuration says with it what was seen.
    pub fn revision(&self) -> String {
        let document = self.document().map(|document| document.to_string()).unwrap_or_default();
        hex(&Sha256::digest(document)[..16])
    }

    /// What a list of configurations shows of this one.
    pub fn summary(&self, source: ConfigSource) -> ConfigSummary {
        ConfigSummary {
            source,
            id: self.id.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            version: self.version.clone(),
            allowed_tools: self.allowed_tools.clone().unwrap_or_default(),
            has_mcp_servers: !self.mcp_servers.is_empty(),
            has_sub_agents: self.agents.as_ref().is_some_and(|agents| !agents.is_empty()),
            permission_mode: self.permission_mode,
        }
    }
}

/// What a list of configurations shows of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConfigSummary {
    /// Where it comes from, and so whose it is.
    pub source: ConfigSource,
    /// See [`AgentConfig::id`].
    pub id: String,
    /// See [`AgentConfig::name`].
    pub name: String,
    /// See [`AgentConfig::description`].
    pub description: Option<String>,
    /// See [`AgentConfig::version`].
    pub version: String,
    /// See [`AgentConfig::allowed_tools`].
    pub allowed_tools: Vec<String>,
    /// Whether there is any MCP server.
    pub has_mcp_servers: bool,
    /// Whether there is any sub-agent.
    pub has_sub_agents: bool,
    /// See [`AgentConfig::permission_mode`].
    pub permission_mode: Option<PermissionMode>,
}
