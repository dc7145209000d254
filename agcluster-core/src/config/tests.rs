//! Documents, good and bad.

use std::collections::BTreeMap;

use agcluster_protocol::{DriverKind, McpServer, PermissionMode, Secret, SystemPrompt};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AgentConfig, AgentDefaults, ConfigError, McpEnv};

pub(super) mod bad;
mod credentials;
mod expansion;

fn yaml(text: &str) -> AgentConfig {
    let read = AgentConfig::from_yaml(text).unwrap();
    assert_eq!(read.warnings, [], "unexpected warnings");
    read.config
}

fn json(document: Value) -> AgentConfig {
    AgentConfig::from_json(document).unwrap().config
}

#[test]
fn the_smallest_configuration_has_an_id_and_a_name() {
    let config = yaml("id: x\nname: X");
    let expected = json!({
        "id": "x", "name": "X", "description": null, "version": "1.0.0", "allowed_tools": [],
        "system_prompt": null, "mcp_servers": {}, "permission_mode": null, "agents": null,
        "resource_limits": null, "max_turns": null, "model": null, "cwd": null, "env": {},
        "setting_sources": null, "created_at": null, "updated_at": null, "image": null, "driver": "claude",
    });
    assert_eq!(serde_json::to_value(&config).unwrap(), expected);
}

/// As a client of the format saves it, with its nulls.
pub(super) fn full() -> Value {
    json!({
        "id": "full", "name": "Full", "description": "everything", "version": "2.0",
        "allowed_tools": ["Bash", "Task", "mcp__local__look"],
        "system_prompt": {"type": "preset", "preset": "claude_code", "append": null},
        "mcp_servers": {
            "bare": {"type": "stdio", "command": "server", "args": null, "env": null},
            "events": {"type": "sse", "url": "https://example.com/sse", "headers": null},
            "local": {"type": "stdio", "command": "npx", "args": ["-y", "x"], "env": {"LEVEL": "1"}},
            "remote": {"type": "http", "url": "http://example.com/mcp", "headers": {"X-Team": "a"}},
        },
        "permission_mode": "plan",
        "agents": {
            "one": {"description": "d", "prompt": "p", "tools": ["Read"], "model": "haiku"},
            "two": {"description": "d", "prompt": "p", "tools": null, "model": null},
        },
        "resource_limits": {"cpu_quota": 150000, "memory_limit": "512m", "storage_limit": "10g"},
        "max_turns": 7, "model": "claude-sonnet-4-5", "cwd": "/workspace/app", "env": {"RUST_LOG": "debug"},
        "setting_sources": ["user", "project", "local"],
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05.678Z",
        "image": "registry.example.com/agent:1@sha256:abc", "driver": "scripted",
    })
}

#[test]
fn every_field_comes_back_as_it_was_written() {
    let read = AgentConfig::from_json(full()).unwrap();
    assert_eq!(read.warnings, []);
    assert_eq!(serde_json::to_value(&read.config).unwrap(), full());
    assert_eq!(json(full()), read.config);
    assert_eq!(yaml(&serde_json::to_string(&full()).unwrap()), read.config, "JSON is YAML");
}

#[test]
fn every_field_reaches_the_agent() {
    let launch = json(full()).to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    assert_eq!(launch.warnings, []);
    let options = launch.options;
    assert_eq!(options.max_turns, Some(7));
    assert_eq!(options.model.as_deref(), Some("claude-sonnet-4-5"));
    assert_eq!(options.cwd.as_deref(), Some("/workspace/app"));
    assert_eq!(options.env, BTreeMap::from([("RUST_LOG".into(), Secret::new("debug"))]));
    assert_eq!(options.permission_mode, PermissionMode::Plan);
    assert_eq!(options.setting_sources.len(), 3);
    assert_eq!(options.agents.keys().collect::<Vec<_>>(), ["one", "two"]);
    assert!(matches!(options.system_prompt, Some(SystemPrompt::Preset { append: None, .. })));
    let local = McpServer::Stdio {
        command: "npx".into(),
        args: vec!["-y".into(), "x".into()],
        env: BTreeMap::from([("LEVEL".into(), Secret::new("1"))]),
    };
    assert_eq!(options.mcp_servers["local"], local);
    assert_eq!(json(full()).driver, DriverKind::Scripted);
    let resources = json(full()).resources();
    assert_eq!(resources.cpu_millis, Some(1_500));
    assert_eq!(resources.memory_bytes, Some(512 << 20));
    assert_eq!(resources.storage_bytes, Some(10 << 30));
}

#[test]
fn what_mcp_servers_offer_is_allowed_at_run_time_but_not_written_down() {
    let config = yaml(
        "
        id: x
        name: X
        allowed_tools: [Read, ReadMcpResource]
        mcp_servers: { b: { command: b }, a: { command: a } }
    ",
    );
    assert_eq!(config.allowed_tools.as_deref().unwrap(), ["Read", "ReadMcpResource"]);
    let expected = ["Read", "ReadMcpResource", "ListMcpResources", "mcp__a__*", "mcp__b__*"];
    assert_eq!(config.effective_tools(), expected);
    let launch = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    assert_eq!(launch.options.allowed_tools, expected);
    assert_eq!(yaml("id: x\nname: X\nallowed_tools: [Read]").effective_tools(), ["Read"]);
}

#[test]
fn defaults_fill_in_what_is_absent_and_nothing_else() {
    let defaults = AgentDefaults {
        allowed_tools: vec!["Bash".into()],
        system_prompt: Some(SystemPrompt::Text("be kind".into())),
        permission_mode: PermissionMode::Plan,
        max_turns: Some(9),
        ..AgentDefaults::default()
    };
    let options = |text| yaml(text).to_options(&McpEnv::new(), &defaults).unwrap().options;
    let absent = options("id: x\nname: X");
    assert_eq!(absent.allowed_tools, ["Bash"]);
    assert_eq!(absent.system_prompt, defaults.system_prompt);
    assert_eq!(absent.permission_mode, PermissionMode::Plan);
    assert_eq!(absent.max_turns, Some(9));
    let said = options(
        "{id: x, name: X, allowed_tools: [], system_prompt: mine, permission_mode: default, max_turns: 1}",
    );
    assert!(said.allowed_tools.is_empty(), "no tool is a choice");
    assert_eq!(said.system_prompt, Some(SystemPrompt::Text("mine".into())));
    assert_eq!(said.permission_mode, PermissionMode::Ask);
    assert_eq!(said.max_turns, Some(1));
    let plain = yaml("id: x\nname: X").to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    assert_eq!(plain.options.permission_mode, PermissionMode::AcceptEdits);
}

#[test]
fn what_is_made_in_code_is_checked_on_demand() {
    let mut config = json(full());
    assert_eq!(config.validate(), Ok(Vec::new()));
    config.max_turns = Some(0);
    config.cwd = Some("/etc".into());
    let fields: Vec<String> =
        config.validate().unwrap_err().problems().iter().map(|problem| problem.field.clone()).collect();
    assert_eq!(fields, ["max_turns", "cwd"]);
}

#[test]
fn a_time_without_offset_is_utc() {
    let config = json(json!({"id": "x", "name": "X", "created_at": "2026-01-02T03:04:05.123456"}));
    assert_eq!(serde_json::to_value(config.created_at).unwrap(), "2026-01-02T03:04:05.123456Z");
}

#[test]
fn anchors_save_writing() {
    let config = yaml(
        "
        id: x
        name: X
        allowed_tools: &tools [Read, Task]
        agents:
          a: &agent { description: d, prompt: p, tools: *tools }
          b: { <<: *agent, prompt: q }
    ",
    );
    let agents = config.agents.unwrap();
    assert_eq!(agents["a"].tools, agents["b"].tools);
    assert_eq!(agents["b"].prompt, "q");
}

#[test]
fn values_are_hidden_when_printed() {
    let config = json(json!({
        "id": "x", "name": "X", "env": {"A": "hush-a"},
        "mcp_servers": {
            "l": {"command": "c", "env": {"B": "hush-b"}},
            "r": {"type": "http", "url": "http://x", "headers": {"C": "hush-c"}},
        },
    }));
    assert!(!format!("{config:?}").contains("hush"), "{config:?}");
}

/// Any JSON, with the names of the format more often than chance would have it.
pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        prop::sample::select(vec![
            "id",
            "name",
            "allowed_tools",
            "system_prompt",
            "mcp_servers",
            "agents",
            "resource_limits",
            "cpu_quota",
            "memory_limit",
            "max_turns",
            "cwd",
            "env",
            "type",
            "command",
            "url",
            "headers",
            "tools",
            "prompt",
            "description",
            "created_at",
            "driver",
            "setting_sources",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["x", "http", "4g", "${A}", "${A:-b}", "/workspace", "mcp__a__b", "preset"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn speaks_sense(error: &ConfigError) {
    assert!(!error.problems().is_empty());
    for problem in error.problems() {
        assert!(problem.message.len() > 10 && !problem.message.contains('\n'), "{problem:?}");
    }
}

proptest! {
    #[test]
    fn no_json_makes_it_panic_and_what_it_takes_comes_back(document in any_json()) {
        match AgentConfig::from_json(document) {
            Ok(read) => {
                let written = serde_json::to_value(&read.config).unwrap();
                let mut again = AgentConfig::from_json(written).unwrap().config;
                again.allowed_tools = read.config.allowed_tools.clone().and(again.allowed_tools);
                prop_assert_eq!(again, read.config);
            }
            Err(error) => speaks_sense(&error),
        }
    }

    #[test]
    fn no_field_makes_it_panic(mut document in prop::collection::hash_map("[a-z_]{1,12}", any_json(), 0..4)) {
        document.insert("id".into(), "x".into());
        document.insert("name".into(), "X".into());
        let document = Value::Object(document.into_iter().collect());
        match AgentConfig::from_json(document) {
            Ok(read) => {
                prop_assert!(read.config.to_options(&McpEnv::new(), &AgentDefaults::default()).is_ok());
            }
            Err(error) => speaks_sense(&error),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "(id: x\n|name: X\n|[ \\-:{}\\[\\]&*!|>'\"%@`#,?a-z0-9\n~<]|.){0,60}") {
        if let Err(error) = AgentConfig::from_yaml(&text) {
            speaks_sense(&error);
        }
    }
}
