//! Tools: what exists for the model, and what does not.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use agcluster_protocol::event::NoticeLevel;
use agcluster_protocol::{EventBody, Outcome};
use anyhow::{Context, ensure};
use serde_json::json;

use crate::harness::{Agent, USER, is_root, outcome, tool_result};

/// An MCP server of two tools, in the shell that the agent's tools need anyway.
const MCP_SERVER: &str = r#"#!/bin/bash
while read -r line; do
  id=$(sed -n 's/.*"id":\([0-9]*\).*/\1/p' <<<"$line")
  [ -n "$id" ] || continue
  tool='{"name":"NAME","description":"d","inputSchema":{"type":"object","properties":{}}}'
  case "$line" in
    *'"method":"initialize"'*)
      version=$(sed -n 's/.*"protocolVersion":"\([^"]*\)".*/\1/p' <<<"$line")
      result='{"protocolVersion":"'$version'","capabilities":{"tools":{}},"serverInfo":{"name":"calc","version":"1"}}' ;;
    *'"method":"tools/list"'*) result='{"tools":['${tool/NAME/add},${tool/NAME/secret}']}' ;;
    *'"method":"tools/call"'*) result='{"content":[{"type":"text","text":"the token is '$CALC_TOKEN'"}]}' ;;
    *) result='{}' ;;
  esac
  printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;

#[tokio::test]
async fn a_command_writes_a_file_as_the_agents_user() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({"cwd": "below/here", "env": {"GREETING": "hello"}})).await?;
    let events = agent.turn("@@bash echo $GREETING > greeting.txt && id -G && pwd\n@@text Done.").await?;
    let file = agent.workspace().join("below/here/greeting.txt");
    ensure!(std::fs::read_to_string(&file)? == "hello\n", "another greeting");
    let said = tool_result(&events)?;
    ensure!(said.ends_with("/workspace/below/here"), "{said}");
    if is_root() {
        ensure!(std::fs::metadata(&file)?.uid() == USER, "the file is another user's");
        ensure!(said.starts_with(&format!("{USER}\n")), "the user is in other groups: {said}");
    }
    agent.stop().await
}

#[tokio::test]
async fn tools_that_are_not_allowed_do_not_exist() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let everything_goes =
        json!({"allowed_tools": ["Read", "TodoWrite"], "permission_mode": "bypassPermissions"});
    agent.configure(everything_goes).await?;
    let todo = json!({"todos": [{"content": "Write", "status": "in_progress", "activeForm": "Writing"}]});
    let rogue = "@@rogue_tool Bash {\"command\":\"touch rogue\"}";
    let events = agent.turn(&format!("{rogue}\n@@tool TodoWrite {todo}\n@@text I cannot.")).await?;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    ensure!(!agent.workspace().join("rogue").exists(), "it ran");
    ensure!(
        events.iter().any(|event| matches!(&event.body, EventBody::Todo { items } if items.len() == 1)),
        "no list"
    );
    let request =
        agent.model.requests().into_iter().find(|request| request.is_messages()).context("no request")?;
    let mut tools = request.tools();
    tools.sort();
    ensure!(tools == ["AskUserQuestion", "Read", "TodoWrite"], "{tools:?}");
    agent.stop().await
}

#[tokio::test]
async fn an_mcp_server_has_only_the_tools_that_are_allowed() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    let program = agent.folder.path().join("calc");
    std::fs::write(&program, MCP_SERVER)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    agent
        .configure(json!({
            "allowed_tools": ["Task", "mcp__calc__add", "mcp__broken__*"],
            "permission_mode": "bypassPermissions",
            "mcp_servers": {
                "calc": {"command": program, "env": {"CALC_TOKEN": "tok-of-calc"}},
                "broken": {"type": "http", "url": "http://127.0.0.1:1/mcp", "headers": {"X-Key": "sek-of-broken"}},
                "unused": {"command": "/nonexistent"},
            },
        }))
        .await?;
    let events = agent.turn("@@tool mcp__calc__add {}\n@@text Done.").await?;
    ensure!(tool_result(&events)?.contains("the token is tok-of-calc"), "{}", tool_result(&events)?);
    let notices: Vec<&String> = events
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::Notice { level: NoticeLevel::Warning, message } => Some(message),
            _ => None,
        })
        .collect();
    ensure!(notices.len() == 1 && notices[0].contains("MCP server broken does not answer"), "{notices:?}");
    let rogue = agent.turn("@@rogue_tool mcp__calc__secret {}\n@@text I cannot.").await?;
    ensure!(tool_result(&rogue)?.contains("No such tool available"), "{}", tool_result(&rogue)?);
    // Nor through a sub-agent.
    let task = json!({"description": "d", "prompt": "@@rogue_tool mcp__calc__secret {}\n@@text I cannot.",
        "subagent_type": "general-purpose"});
    let events = agent.turn(&format!("@@tool Agent {task}\n@@text Done.")).await?;
    let refused = events.iter().any(|event| match &event.body {
        EventBody::ToolResult { content, .. } => {
            event.parent.is_some() && content.to_string().contains("No such tool available")
        }
        _ => false,
    });
    ensure!(refused, "{events:?}");
    agent.stop().await
}

#[tokio::test]
async fn a_sub_agent_has_tools_that_the_main_agent_has_not() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent
        .configure(json!({
            "allowed_tools": ["Task", "Read"],
            "system_prompt": {"type": "preset", "preset": "claude_code", "append": "You lead a team."},
            "agents": {"builder": {"description": "Builds", "prompt": "You build.", "tools": ["Bash"]}},
        }))
        .await?;
    let task = json!({"description": "d", "prompt": "@@bash touch built\n@@text Built.", "subagent_type": "builder"});
    let rogue = "@@rogue_tool Bash {\"command\":\"touch rogue\"}";
    let events = agent.turn(&format!("@@tool Agent {task}\n{rogue}\n@@text Done.")).await?;
    ensure!(*outcome(&events)? == Outcome::Completed, "{:?}", events.last());
    ensure!(agent.workspace().join("built").exists(), "the sub-agent did not build");
    ensure!(!agent.workspace().join("rogue").exists(), "the main agent did");
    ensure!(events.iter().any(|event| matches!(event.body, EventBody::TaskStarted(_))), "no task");
    ensure!(events.iter().any(|event| matches!(event.body, EventBody::TaskEnded(_))), "no end of a task");
    let text = events.iter().any(|event| match &event.body {
        EventBody::Text { text, .. } => event.parent.is_some() && text == "Built.",
        _ => false,
    });
    ensure!(text, "the sub-agent's words are missing");
    let requests = agent.model.requests();
    let main = requests.iter().find(|request| request.is_messages()).context("no request")?;
    ensure!(main.system_text().contains("You lead a team."), "nothing was appended");
    ensure!(main.system_text().len() > 5_000, "the preset is gone");
    let sub =
        requests.iter().find(|request| request.sub_agent().is_some()).context("no request of a sub-agent")?;
    ensure!(sub.tools() == ["Bash"] && !main.tools().contains(&"Bash".to_owned()), "{:?}", main.tools());
    agent.stop().await
}

#[tokio::test]
async fn a_team_cannot_be_left_by_other_sub_agents() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent
        .configure(json!({
            "allowed_tools": ["Task"],
            "permission_mode": "bypassPermissions",
            "agents": {"builder": {"description": "Builds", "prompt": "You build.", "tools": ["Bash"]}},
        }))
        .await?;
    let task =
        json!({"description": "d", "prompt": "@@bash touch built", "subagent_type": "general-purpose"});
    let events = agent.turn(&format!("@@tool Agent {task}\n@@text Done.")).await?;
    ensure!(tool_result(&events)?.contains("not found"), "{}", tool_result(&events)?);
    ensure!(!agent.workspace().join("built").exists(), "another sub-agent built");
    agent.stop().await
}
