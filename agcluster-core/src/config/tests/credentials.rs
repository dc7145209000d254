//! Credentials that are given at launch.

use std::collections::BTreeMap;

use agcluster_protocol::{McpServer, Secret};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{AgentConfig, AgentDefaults, McpEnv, McpServers};

fn config(servers: Value) -> AgentConfig {
    AgentConfig::from_json(json!({"id": "x", "name": "X", "mcp_servers": servers})).unwrap().config
}

fn github() -> AgentConfig {
    config(json!({
        "github": {"command": "npx", "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}", "LEVEL": "info"}},
        "plain": {"command": "plain"},
        "remote": {
            "type": "http", "url": "https://example.com/${TENANT:-main}",
            "headers": {"Authorization": "Bearer ${REMOTE_TOKEN}", "X-Team": "core"},
        },
    }))
}

fn env(values: Value) -> McpEnv {
    serde_json::from_value(values).unwrap()
}

fn apply(config: &AgentConfig, values: Value) -> McpServers {
    config.apply_mcp_env(&env(values), &BTreeMap::new()).unwrap()
}

fn refusal(config: &AgentConfig, values: Value) -> String {
    config.apply_mcp_env(&env(values), &BTreeMap::new()).unwrap_err().to_string()
}

fn stdio_env(servers: &McpServers, name: &str) -> BTreeMap<String, String> {
    let McpServer::Stdio { env, .. } = &servers.servers[name] else { panic!("{name} is not local") };
    env.iter().map(|(key, value)| (key.clone(), value.expose().to_owned())).collect()
}

#[test]
fn refusals_are_worded_as_clients_know_them() {
    let github = github();
    assert_eq!(
        refusal(&config(json!({})), json!({"github": {"A": "1"}})),
        "mcp_env provided but no mcp_servers configured"
    );
    assert_eq!(refusal(&github, json!({"gitlab": {"A": "1"}})), "Unknown MCP server 'gitlab' in mcp_env");
    assert_eq!(
        refusal(&github, json!({"plain": {"A": "1"}})),
        "MCP server 'plain' does not declare env keys; cannot accept runtime credentials"
    );
    for key in ["ANTHROPIC_API_KEY", "AGENT_CONFIG_JSON", "AGENT_ID", "SESSION_ID", "CONVERSATION_ID"] {
        assert_eq!(
            refusal(&github, json!({"github": {key: "1"}})),
            format!("MCP env key '{key}' is reserved and cannot be overridden")
        );
    }
    assert_eq!(
        refusal(&github, json!({"github": {"OTHER": "1"}})),
        "MCP env key 'OTHER' not declared in config for server 'github'"
    );
}

#[test]
fn every_refusal_is_reported_and_names_its_field() {
    let values = env(json!({"github": {"OTHER": "1", "SESSION_ID": "1"}, "gitlab": {}, "plain": {"A": "1"}}));
    let error = github().apply_mcp_env(&values, &BTreeMap::new()).unwrap_err();
    let fields: Vec<&str> = error.problems().iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        ["mcp_env.github.OTHER", "mcp_env.github.SESSION_ID", "mcp_env.gitlab", "mcp_env.plain"]
    );
}

#[test]
fn nothing_given_is_nothing_refused() {
    assert_eq!(apply(&config(json!({})), json!({})).servers, BTreeMap::new());
    assert_eq!(apply(&github(), json!({"plain": {}})).servers.len(), 3);
}

#[test]
fn a_value_goes_to_its_server_and_to_no_other() {
    let two = config(json!({
        "a": {"command": "a", "env": {"TOKEN": "${TOKEN}"}},
        "b": {"command": "b", "env": {"TOKEN": "${TOKEN}"}},
    }));
    let filled = apply(&two, json!({"a": {"TOKEN": "s3cret"}}));
    assert_eq!(stdio_env(&filled, "a"), BTreeMap::from([("TOKEN".into(), "s3cret".into())]));
    assert_eq!(stdio_env(&filled, "b"), BTreeMap::new());
    assert_eq!(
        filled.warnings[0].to_string(),
        "`mcp_servers.b.env.TOKEN` is left out because there is no value for `TOKEN`: give it in `mcp_env.b` at launch"
    );
}

#[test]
fn a_value_replaces_the_placeholder_or_the_literal() {
    let config = config(json!({
        "a": {"command": "a", "env": {"LITERAL": "old", "WRAPPED": "<${WRAPPED}>", "URL": "http://${HOST}:${PORT:-80}"}},
    }));
    let filled = apply(&config, json!({"a": {"LITERAL": "new", "WRAPPED": "w", "HOST": "h"}}));
    let expected = [("LITERAL", "new"), ("URL", "http://h:80"), ("WRAPPED", "<w>")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(stdio_env(&filled, "a"), BTreeMap::from(expected));
    assert_eq!(filled.warnings, []);
}

#[test]
fn without_its_value_a_variable_or_header_is_left_out_and_the_rest_stays() {
    let filled = apply(&github(), json!({}));
    assert_eq!(stdio_env(&filled, "github"), BTreeMap::from([("LEVEL".into(), "info".into())]));
    let remote = McpServer::Http {
        url: "https://example.com/main".into(),
        headers: BTreeMap::from([("X-Team".into(), Secret::new("core"))]),
    };
    assert_eq!(filled.servers["remote"], remote);
    let fields: Vec<&str> = filled.warnings.iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(fields, ["mcp_servers.github.env.GITHUB_TOKEN", "mcp_servers.remote.headers.Authorization"]);
}

#[test]
fn a_remote_server_takes_the_values_it_mentions() {
    let filled = apply(&github(), json!({"remote": {"TENANT": "other", "REMOTE_TOKEN": "t"}}));
    let McpServer::Http { url, headers } = &filled.servers["remote"] else { panic!("not remote") };
    assert_eq!(url, "https://example.com/other");
    assert_eq!(headers["Authorization"].expose(), "Bearer t");
}

#[test]
fn a_server_without_its_address_is_left_out() {
    let config = config(json!({"a": {"type": "sse", "url": "https://${HOST}/sse"}, "b": {"command": "b"}}));
    let launch = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    assert_eq!(launch.options.mcp_servers.keys().collect::<Vec<_>>(), ["b"]);
    assert!(!launch.options.allowed_tools.contains(&"mcp__a__*".to_owned()));
    assert_eq!(launch.warnings[0].field, "mcp_servers.a.url");
}

#[test]
fn a_value_that_cannot_be_sent_is_refused_without_being_shown() {
    let message = refusal(&github(), json!({"remote": {"REMOTE_TOKEN": "hush\r\nX-Evil: 1"}}));
    assert!(
        message.contains("`mcp_servers.remote.headers.Authorization`") && !message.contains("hush"),
        "{message}"
    );
    let message = refusal(&github(), json!({"github": {"GITHUB_TOKEN": "hush\0"}}));
    assert!(message.contains("GITHUB_TOKEN") && !message.contains("hush"), "{message}");
    let host = config(json!({"a": {"type": "http", "url": "https://${HOST}/"}}));
    let message = refusal(&host, json!({"a": {"HOST": "hush hush"}}));
    assert!(message.contains("`mcp_servers.a.url`") && !message.contains("hush"), "{message}");
}

#[test]
fn the_environment_of_the_control_plane_is_never_read() {
    // PATH is set wherever tests run.
    assert!(std::env::var("PATH").is_ok());
    let document = json!({"id": "x", "name": "X", "env": {"LEAK": "${PATH}", "SAFE": "${PATH:-none}"}});
    let config = AgentConfig::from_json(document).unwrap().config;
    let launch = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    assert_eq!(launch.options.env, BTreeMap::from([("SAFE".into(), Secret::new("none"))]));
    assert_eq!(launch.warnings[0].field, "env.LEAK");
}

#[test]
fn the_operator_can_share_values_but_not_the_key() {
    let document = json!({
        "id": "x", "name": "X", "env": {"REGION": "${REGION}", "LEAK": "${ANTHROPIC_API_KEY}"},
        "mcp_servers": {"a": {"command": "a", "env": {"TOKEN": "${TOKEN}", "REGION": "${REGION}"}}},
    });
    let config = AgentConfig::from_json(document).unwrap().config;
    let shared = [("REGION", "eu"), ("TOKEN", "shared"), ("ANTHROPIC_API_KEY", "hush")];
    let shared = shared.map(|(key, value)| (key.to_owned(), Secret::new(value)));
    let defaults = AgentDefaults { shared: shared.into(), ..AgentDefaults::default() };
    let launch = config.to_options(&env(json!({"a": {"TOKEN": "mine"}})), &defaults).unwrap();
    assert_eq!(launch.options.env, BTreeMap::from([("REGION".into(), Secret::new("eu"))]));
    let McpServer::Stdio { env, .. } = &launch.options.mcp_servers["a"] else { panic!("not local") };
    assert_eq!(env["TOKEN"].expose(), "mine");
    assert_eq!(env["REGION"].expose(), "eu");
    assert_eq!(launch.warnings.len(), 1, "{:?}", launch.warnings);
}

proptest! {
    #[test]
    fn nothing_given_makes_it_panic_or_is_shown(
        values in prop::collection::btree_map("(github|plain|remote|.{0,6})", prop::collection::btree_map(
            "(GITHUB_TOKEN|REMOTE_TOKEN|TENANT|.{0,6})", "hush.{0,8}", 0..4), 0..4),
    ) {
        let values: McpEnv = values.into_iter().map(|(server, values)| {
            (server, values.into_iter().map(|(key, value)| (key, Secret::new(value))).collect())
        }).collect();
        match github().apply_mcp_env(&values, &BTreeMap::new()) {
            Ok(filled) => prop_assert_eq!(filled.servers.len(), 3),
            Err(error) => prop_assert!(!error.to_string().contains("hush")),
        }
    }
}
