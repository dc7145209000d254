//! Tools, sub-agents, MCP servers.

use std::collections::BTreeSet;

use agcluster_tests::system::{Provider, System};
use anyhow::ensure;
use serde_json::{Value, json};

use super::{KEY, agent, of_kind, outputs, said, terminal, turn};

pub(crate) async fn bash_writes_a_file_that_is_in_the_workspace(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch_with(json!({ "config_id": "code-assistant" })).await?;
    let frames = turn(&session, "@@bash printf 'print(\"hello\")' > hello.py\n@@text It is there.").await?;
    let calls = of_kind(&frames, "tool_use");
    ensure!(calls.len() == 1 && calls[0]["tool_name"] == "Bash", "{frames:#?}");
    ensure!(said(&frames) == "It is there.", "{frames:#?}");
    let frames = turn(&session, "@@bash python3 hello.py; pwd; id -u").await?;
    let output = outputs(&frames);
    ensure!(output.contains("hello"), "{output}");
    ensure!(!output.lines().any(|line| line == "0"), "the agent runs as root: {output}");
    system.stop().await
}

pub(crate) async fn parallel_tools_all_run_and_all_answer(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["Bash"])).await?;
    let call = |n: u32| json!({ "name": "Bash", "input": { "command": format!("echo number-{n}"), "description": "counts" } });
    let frames =
        turn(&session, &format!("@@tools {}\n@@text counted", json!([call(1), call(2), call(3)]))).await?;
    let ids = |kind| {
        of_kind(&frames, kind).iter().map(|data| data["tool_use_id"].to_string()).collect::<BTreeSet<_>>()
    };
    ensure!(ids("tool_use").len() == 3 && ids("tool_use") == ids("tool_complete"), "{frames:#?}");
    for n in 1..=3 {
        ensure!(outputs(&frames).contains(&format!("number-{n}")), "{frames:#?}");
    }
    ensure!(said(&frames) == "counted");
    system.stop().await
}

pub(crate) async fn a_tool_outside_the_allowed_ones_does_not_exist(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let mut config = agent(&["Read"]);
    config["permission_mode"] = "bypassPermissions".into();
    let session = system.api(KEY).launch(config).await?;
    let rogue = json!({ "command": "echo escaped > escaped.txt", "description": "escapes" });
    let frames = turn(&session, &format!("@@rogue_tool Bash {rogue}\n@@text tried")).await?;
    let results = of_kind(&frames, "tool_complete");
    ensure!(results.len() == 1 && results[0]["is_error"] == true, "{frames:#?}");
    let offered: BTreeSet<String> =
        system.model().requests().iter().flat_map(|request| request.tools()).collect();
    ensure!(
        offered.contains("Read") && !offered.contains("Bash") && !offered.contains("Write"),
        "{offered:?}"
    );
    system.stop().await
}

pub(crate) async fn todos_are_shown_as_a_list(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(agent(&["TodoWrite"])).await?;
    let todos = json!({ "todos": [
        { "content": "Look", "status": "completed", "activeForm": "Looking" },
        { "content": "Leap", "status": "in_progress", "activeForm": "Leaping" },
    ]});
    let frames = turn(&session, &format!("@@tool TodoWrite {todos}\n@@text planned")).await?;
    let updates = of_kind(&frames, "todo_update");
    ensure!(updates.last().is_some_and(|data| data["todos"] == todos["todos"]), "{frames:#?}");
    system.stop().await
}

pub(crate) async fn a_sub_agent_of_the_team_does_work_of_its_own(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch_with(json!({ "config_id": "fullstack-team" })).await?;
    let task = json!({
        "description": "Write the service",
        "prompt": "@@bash echo served > service.txt\n@@text The service stands.",
        "subagent_type": "backend",
    });
    let frames = turn(&session, &format!("@@tool Agent {task}\n@@text The team is done.")).await?;
    let of_sub_agent = |kind: &str| -> Vec<Value> {
        of_kind(&frames, kind)
            .into_iter()
            .filter(|data| data["parent_tool_use_id"].is_string())
            .cloned()
            .collect()
    };
    let calls = of_sub_agent("tool_use");
    ensure!(calls.len() == 1 && calls[0]["tool_name"] == "Bash", "{frames:#?}");
    let results = of_sub_agent("tool_complete");
    ensure!(results.len() == 1 && results[0]["is_error"] == false, "{frames:#?}");
    ensure!(
        of_sub_agent("content").iter().any(|data| data["content"] == "The service stands."),
        "{frames:#?}"
    );
    ensure!(frames.iter().any(|frame| frame.kind() == "task_started"), "{frames:#?}");
    ensure!(*terminal(&frames) == json!({ "type": "complete", "status": "success" }), "{frames:#?}");
    // The lead has no Bash of its own.
    let rogue = json!({ "command": "echo led > led.txt", "description": "leads" });
    let frames = turn(&session, &format!("@@rogue_tool Bash {rogue}\n@@text tried")).await?;
    ensure!(of_kind(&frames, "tool_complete").iter().all(|data| data["is_error"] == true), "{frames:#?}");
    system.stop().await
}

/// The smallest MCP server over standard streams: one tool that adds, and tells a credential it was given.
const MCP_SERVER: &str = r#"
import json, os, sys
TOOLS = [{"name": name, "description": name, "inputSchema": {"type": "object"}} for name in ("add", "token")]
for line in sys.stdin:
    call = json.loads(line)
    if "id" not in call:
        continue
    method, params = call["method"], call.get("params", {})
    if method == "initialize":
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "calc", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": TOOLS}
    elif method == "tools/call":
        asked = params.get("arguments", {})
        text = str(asked["a"] + asked["b"]) if params["name"] == "add" else os.environ.get("CALC_TOKEN", "none")
        result = {"content": [{"type": "text", "text": text}]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "no such method"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}), flush=True)
"#;

pub(crate) async fn an_mcp_server_over_stdio_works_with_credentials_of_the_launch(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let mut config = agent(&[]);
    config["mcp_servers"] = json!({ "calc": {
        "command": "python3", "args": ["-c", MCP_SERVER], "env": { "CALC_TOKEN": "${CALC_TOKEN}" },
    }});
    let session = system
        .api(KEY)
        .launch_with(json!({ "config": config, "mcp_env": { "calc": { "CALC_TOKEN": "given-at-launch" } } }))
        .await?;
    let frames = turn(
        &session,
        "@@tool mcp__calc__add {\"a\": 19, \"b\": 23}\n@@tool mcp__calc__token {}\n@@text added",
    )
    .await?;
    ensure!(outputs(&frames).contains("42"), "{frames:#?}");
    ensure!(outputs(&frames).contains("given-at-launch"), "{frames:#?}");
    ensure!(said(&frames) == "added", "{frames:#?}");
    system.stop().await
}
