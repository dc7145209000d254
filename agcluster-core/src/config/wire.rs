//! The JSON document of a configuration: every field is there, nulls included, as clients of the format expect.
//!
//! Between control plane and agent server the same types leave out what is empty, so they cannot say it themselves.

use std::collections::BTreeMap;

use agcluster_protocol::{McpServer, PresetName, PresetTag, Secret, SubAgent, SubAgentModel, SystemPrompt};
use serde::{Serialize, Serializer};

pub(super) fn tools<S: Serializer>(tools: &Option<Vec<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    tools.as_deref().unwrap_or_default().serialize(serializer)
}

pub(super) fn system_prompt<S: Serializer>(
    prompt: &Option<SystemPrompt>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Preset<'a> {
        r#type: PresetTag,
        preset: PresetName,
        append: &'a Option<String>,
    }

    match prompt {
        None => serializer.serialize_none(),
        Some(SystemPrompt::Text(text)) => serializer.serialize_str(text),
        Some(SystemPrompt::Preset { r#type, preset, append }) => {
            Preset { r#type: *r#type, preset: *preset, append }.serialize(serializer)
        }
    }
}

pub(super) fn mcp_servers<S: Serializer>(
    servers: &BTreeMap<String, McpServer>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Server<'a> {
        Stdio { command: &'a str, args: Option<&'a Vec<String>>, env: Option<&'a BTreeMap<String, Secret>> },
        Sse { url: &'a str, headers: Option<&'a BTreeMap<String, Secret>> },
        Http { url: &'a str, headers: Option<&'a BTreeMap<String, Secret>> },
    }

    fn some(map: &BTreeMap<String, Secret>) -> Option<&BTreeMap<String, Secret>> {
        (!map.is_empty()).then_some(map)
    }

    serializer.collect_map(servers.iter().map(|(name, server)| {
        let server = match server {
            McpServer::Stdio { command, args, env } => {
                Server::Stdio { command, args: (!args.is_empty()).then_some(args), env: some(env) }
            }
            McpServer::Sse { url, headers } => Server::Sse { url, headers: some(headers) },
            McpServer::Http { url, headers } => Server::Http { url, headers: some(headers) },
        };
        (name, server)
    }))
}

pub(super) fn agents<S: Serializer>(
    agents: &Option<BTreeMap<String, SubAgent>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Agent<'a> {
        description: &'a str,
        prompt: &'a str,
        tools: &'a Option<Vec<String>>,
        model: Option<SubAgentModel>,
    }

    match agents {
        None => serializer.serialize_none(),
        Some(agents) => serializer.collect_map(agents.iter().map(|(name, agent)| {
            let SubAgent { description, prompt, tools, model } = agent;
            (name, Agent { description, prompt, tools, model: *model })
        })),
    }
}
