//! The first line to the program: prompts, sub-agents and MCP servers, so that none of it stands on a command line or in
//! a file.

use std::collections::BTreeMap;

use agcluster_protocol::{AgentOptions, McpServer, Secret, SystemPrompt};
use serde_json::{Map, Value, json};

use super::tools::Tools;

/// The main agent's name, where its tools are fewer than those of the session.
pub(super) const MAIN_AGENT: &str = "agcluster-main";
/// The sub-agent that there always is; the program's own would have every tool of every MCP server.
const GENERAL: &str = "general-purpose";

/// The `initialize` request.
pub(super) fn request(options: &AgentOptions, tools: &Tools) -> Value {
    let mut request = Map::new();
    request.insert("subtype".to_owned(), json!("initialize"));
    match &options.system_prompt {
        Some(SystemPrompt::Text(text)) => {
            request.insert("systemPrompt".to_owned(), json!([text]));
        }
        Some(SystemPrompt::Preset { append: Some(append), .. }) => {
            request.insert("appendSystemPrompt".to_owned(), json!(append));
        }
        Some(SystemPrompt::Preset { append: None, .. }) | None => {}
    }
    let agents = agents(options, tools);
    if !agents.is_empty() {
        request.insert("agents".to_owned(), Value::Object(agents));
    }
    request.insert("mcpServers".to_owned(), Value::Object(servers(options, tools)));
    Value::Object(request)
}

fn agents(options: &AgentOptions, tools: &Tools) -> Map<String, Value> {
    let mut agents = Map::new();
    for (name, agent) in &options.agents {
        let mut definition = json!({
            "description": agent.description,
            "prompt": agent.prompt,
            "tools": tools.of_sub_agent(agent),
        });
        if let Some(model) = agent.model {
            definition["model"] = json!(model);
        }
        agents.insert(name.clone(), definition);
    }
    if !tools.narrowed {
        return agents;
    }
    if agents.is_empty() && tools.has_task() {
        let tools = tools.main.iter().filter(|tool| *tool != "Task").collect::<Vec<_>>();
        agents.insert(
            GENERAL.to_owned(),
            json!({
                "description": "Searches, looks things up and carries out tasks of several steps",
                "prompt": "You carry out the task you are given, completely, with the tools you have. At the end you say \
                           what you did and what you found.",
                "tools": tools,
            }),
        );
    }
    let names: Vec<String> = agents.keys().cloned().collect();
    // Without a prompt of its own, the main agent keeps the session's.
    let main = json!({
        "description": "The agent of this session",
        "prompt": "",
        "tools": tools.of_main(names.iter()),
    });
    agents.insert(MAIN_AGENT.to_owned(), main);
    agents
}

fn servers(options: &AgentOptions, tools: &Tools) -> Map<String, Value> {
    let needed = options.mcp_servers.iter().filter(|(name, _)| tools.needs_server(name, options));
    needed.map(|(name, server)| (name.clone(), server_of(server))).collect()
}

fn server_of(server: &McpServer) -> Value {
    match server {
        McpServer::Stdio { command, args, env } => {
            json!({"type": "stdio", "command": command, "args": args, "env": exposed(env)})
        }
        McpServer::Sse { url, headers } => json!({"type": "sse", "url": url, "headers": exposed(headers)}),
        McpServer::Http { url, headers } => json!({"type": "http", "url": url, "headers": exposed(headers)}),
    }
}

fn exposed(secrets: &BTreeMap<String, Secret>) -> Map<String, Value> {
    secrets.iter().map(|(name, secret)| (name.clone(), json!(secret.expose()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(value: Value) -> AgentOptions {
        serde_json::from_value(value).unwrap()
    }

    fn request_of(value: Value) -> Value {
        let options = options(value);
        request(&options, &Tools::of(&options))
    }

    #[test]
    fn a_plain_agent_needs_little() {
        let request = request_of(json!({"allowed_tools": ["Bash"], "system_prompt": "be kind"}));
        assert_eq!(request, json!({"subtype": "initialize", "systemPrompt": ["be kind"], "mcpServers": {}}));
    }

    #[test]
    fn a_preset_keeps_the_programs_prompt_and_appends() {
        let prompt = json!({"type": "preset", "preset": "claude_code", "append": "more"});
        let request = request_of(json!({"allowed_tools": ["Bash"], "system_prompt": prompt}));
        assert_eq!(request["appendSystemPrompt"], "more");
        assert_eq!(request["systemPrompt"], Value::Null);
    }

    #[test]
    fn a_team_has_a_lead_without_the_teams_tools() {
        let request = request_of(json!({
            "allowed_tools": ["Task", "Read"],
            "agents": {"web": {"description": "d", "prompt": "p", "tools": ["Bash"], "model": "haiku"}},
        }));
        assert_eq!(
            request["agents"],
            json!({
                "web": {"description": "d", "prompt": "p", "tools": ["Bash"], "model": "haiku"},
                "agcluster-main": {
                    "description": "The agent of this session",
                    "prompt": "",
                    "tools": ["Task(web)", "Read", "AskUserQuestion"],
                },
            })
        );
    }

    #[test]
    fn every_kind_of_server_is_passed_on_unless_none_of_its_tools_is_allowed() {
        let request = request_of(json!({
            "allowed_tools": ["Task", "mcp__a__*", "mcp__b", "mcp__c__one"],
            "mcp_servers": {
                "a": {"command": "x", "env": {"K": "v"}},
                "b": {"type": "sse", "url": "http://b", "headers": {"H": "v"}},
                "c": {"type": "http", "url": "http://c"},
                "d": {"command": "y"},
            },
        }));
        assert_eq!(
            request["mcpServers"],
            json!({
                "a": {"type": "stdio", "command": "x", "args": [], "env": {"K": "v"}},
                "b": {"type": "sse", "url": "http://b", "headers": {"H": "v"}},
                "c": {"type": "http", "url": "http://c", "headers": {}},
            })
        );
        let tools = json!(["mcp__a__*", "mcp__b", "mcp__c__one", "AskUserQuestion"]);
        assert_eq!(request["agents"]["general-purpose"]["tools"], tools);
        assert_eq!(request["agents"]["agcluster-main"]["tools"][0], "Task(general-purpose)");
    }
}
