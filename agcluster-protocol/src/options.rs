//! How an agent shall behave: the vendor-neutral half of an agent configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Secret;

/// Everything a driver needs to know to run an agent. A field that is absent means the agent program's own default,
/// except where said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentOptions {
    /// The tools that exist for the model: built-in ones by name, those of MCP servers as `mcp__server__tool` or, all of
    /// a server's, `mcp__server__*`. Others do not exist for it. An agent that has any built-in tool may also ask the user.
    pub allowed_tools: Vec<String>,
    /// The system prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<SystemPrompt>,
    /// MCP servers by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mcp_servers: BTreeMap<String, McpServer>,
    /// What may run without asking.
    pub permission_mode: PermissionMode,
    /// Sub-agents by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<String, SubAgent>,
    /// The most model calls in one turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The working directory; `/workspace` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment variables of the agent program.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Secret>,
    /// Which settings files the agent program reads; none when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setting_sources: Vec<SettingSource>,
}

/// A system prompt: a text of its own, or a vendor's preset with something appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SystemPrompt {
    /// Replaces the agent program's own.
    Text(String),
    /// Keeps the agent program's own.
    Preset {
        /// Always `preset`.
        r#type: PresetTag,
        /// Which one.
        preset: PresetName,
        /// Added at its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        append: Option<String>,
    },
}

/// The tag of [`SystemPrompt::Preset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresetTag {
    /// The only value.
    Preset,
}

/// The system prompts that agent programs bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresetName {
    /// Claude Code's own.
    ClaudeCode,
}

/// How to reach an MCP server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum McpServer {
    /// A program beside the agent, spoken to over its standard streams.
    Stdio {
        /// The program.
        command: String,
        /// Its arguments.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        args: Vec<String>,
        /// Its environment.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, Secret>,
    },
    /// Server-sent events.
    Sse {
        /// Where.
        url: String,
        /// Sent with every request.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, Secret>,
    },
    /// Streamable HTTP.
    Http {
        /// Where.
        url: String,
        /// Sent with every request.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, Secret>,
    },
}

impl<'de> Deserialize<'de> for McpServer {
    /// `type` may be absent and then means `stdio`, as in the format users already have.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            r#type: Option<String>,
            command: Option<String>,
            args: Option<Vec<String>>,
            env: Option<BTreeMap<String, Secret>>,
            url: Option<String>,
            headers: Option<BTreeMap<String, Secret>>,
        }

        let fields = Fields::deserialize(deserializer)?;
        let kind = fields.r#type.as_deref().unwrap_or("stdio");
        let local = fields.command.is_some() || fields.args.is_some() || fields.env.is_some();
        let remote = fields.url.is_some() || fields.headers.is_some();
        match kind {
            "stdio" if remote => {
                Err(D::Error::custom("a stdio server takes command, args and env, not url or headers"))
            }
            "stdio" => Ok(Self::Stdio {
                command: fields.command.ok_or_else(|| D::Error::missing_field("command"))?,
                args: fields.args.unwrap_or_default(),
                env: fields.env.unwrap_or_default(),
            }),
            "sse" | "http" if local => Err(D::Error::custom(format!(
                "a server of type {kind} takes url and headers, not command, args or env"
            ))),
            "sse" | "http" => {
                let url = fields.url.ok_or_else(|| D::Error::missing_field("url"))?;
                let headers = fields.headers.unwrap_or_default();
                Ok(if kind == "sse" { Self::Sse { url, headers } } else { Self::Http { url, headers } })
            }
            other => Err(D::Error::unknown_variant(other, &["stdio", "sse", "http"])),
        }
    }
}

/// What an agent may do without asking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PermissionMode {
    /// Whatever the agent program holds to be risky is asked.
    #[serde(rename = "default")]
    Ask,
    /// The allowed tools run without asking.
    #[default]
    #[serde(rename = "acceptEdits")]
    AcceptEdits,
    /// The agent plans and changes nothing.
    #[serde(rename = "plan")]
    Plan,
    /// Nothing is asked.
    #[serde(rename = "bypassPermissions")]
    BypassPermissions,
}

impl PermissionMode {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "default",
            Self::AcceptEdits => "acceptEdits",
            Self::Plan => "plan",
            Self::BypassPermissions => "bypassPermissions",
        }
    }
}

/// An agent that the main agent can hand work to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubAgent {
    /// When to use it; read by the main agent.
    pub description: String,
    /// Its system prompt.
    pub prompt: String,
    /// Its tools; the main agent's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<SubAgentModel>,
}

/// The model of a sub-agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubAgentModel {
    /// The balanced one.
    Sonnet,
    /// The strongest.
    Opus,
    /// The quickest.
    Haiku,
    /// The main agent's.
    Inherit,
}

/// A kind of settings file of the agent program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingSource {
    /// In the agent's home.
    User,
    /// In the working directory, shared.
    Project,
    /// In the working directory, private.
    Local,
}

impl SettingSource {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mcp_server_without_a_type_is_stdio() {
        let server: McpServer = serde_json::from_str(r#"{"command":"npx","args":["-y"]}"#).unwrap();
        let expected =
            McpServer::Stdio { command: "npx".into(), args: vec!["-y".into()], env: BTreeMap::new() };
        assert_eq!(server, expected);
    }

    #[test]
    fn an_mcp_server_of_unknown_type_is_refused() {
        let error = serde_json::from_str::<McpServer>(r#"{"type":"carrier-pigeon"}"#).unwrap_err();
        assert!(error.to_string().contains("expected one of `stdio`, `sse`, `http`"), "{error}");
    }

    #[test]
    fn an_mcp_server_does_not_mix_transports() {
        let error = serde_json::from_str::<McpServer>(r#"{"type":"http","url":"http://x","command":"y"}"#)
            .unwrap_err();
        assert!(error.to_string().contains("takes url and headers"), "{error}");
    }

    #[test]
    fn a_system_prompt_is_a_text_or_a_preset() {
        let text: SystemPrompt = serde_json::from_str("\"be kind\"").unwrap();
        assert_eq!(text, SystemPrompt::Text("be kind".into()));
        let preset: SystemPrompt =
            serde_json::from_str(r#"{"type":"preset","preset":"claude_code","append":"more"}"#).unwrap();
        assert!(matches!(preset, SystemPrompt::Preset { append: Some(more), .. } if more == "more"));
    }
}
