//! The presets, held against golden documents.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its sample has failed")]

use std::collections::BTreeMap;

use agcluster_core::config::{AgentConfig, AgentDefaults, ConfigFolder, ConfigSource, ConfigStore, McpEnv};
use agcluster_core::protocol::{McpServer, PermissionMode, Secret};

const IDS: [&str; 5] =
    ["code-assistant", "data-analysis", "fullstack-team", "github-code-review", "research-agent"];

#[tokio::test]
async fn a_lone_binary_has_the_five_presets() {
    let store = ConfigStore::open(Vec::new()).await;
    let list = store.list();
    let ids: Vec<&str> = list.iter().map(|entry| entry.config.id.as_str()).collect();
    assert_eq!(ids, IDS);
    assert!(list.iter().all(|entry| entry.source == ConfigSource::Preset && entry.warnings.is_empty()));
    assert_eq!(store.problems(), []);
    insta::with_settings!({snapshot_path => "config_golden", prepend_module_to_snapshot => false, omit_expression => true}, {
        for entry in &list {
            insta::assert_json_snapshot!(entry.config.id.as_str(), *entry.config);
        }
        let summaries: Vec<_> = list.iter().map(|entry| entry.summary()).collect();
        insta::assert_json_snapshot!("list", summaries);
    });
}

#[tokio::test]
async fn the_files_on_disk_are_the_ones_in_the_binary() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/presets");
    let on_disk = ConfigStore::open(vec![ConfigFolder::presets(folder)]).await;
    let built_in = ConfigStore::open(Vec::new()).await;
    assert_eq!(on_disk.problems(), []);
    assert_eq!(on_disk.list(), built_in.list());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), IDS.len(), "every preset is built in");
}

fn server_env<'s>(servers: &'s BTreeMap<String, McpServer>, name: &str) -> &'s BTreeMap<String, Secret> {
    let McpServer::Stdio { env, .. } = &servers[name] else { panic!("{name} is not local") };
    env
}

#[tokio::test]
async fn the_review_preset_takes_a_token_and_works_without() {
    let config = ConfigStore::open(Vec::new()).await.get("github-code-review").unwrap();
    let name = "GITHUB_PERSONAL_ACCESS_TOKEN";
    let given = McpEnv::from([("github".into(), BTreeMap::from([(name.into(), Secret::new("ghp_x"))]))]);
    let launch = config.to_options(&given, &AgentDefaults::default()).unwrap();
    assert_eq!(launch.warnings, []);
    assert_eq!(launch.options.permission_mode, PermissionMode::BypassPermissions);
    let tools =
        ["Read", "Write", "Grep", "TodoWrite", "ListMcpResources", "ReadMcpResource", "mcp__github__*"];
    assert_eq!(launch.options.allowed_tools, tools);
    assert_eq!(server_env(&launch.options.mcp_servers, "github")[name].expose(), "ghp_x");

    let skipped = config.to_options(&McpEnv::new(), &AgentDefaults::default()).unwrap();
    assert!(server_env(&skipped.options.mcp_servers, "github").is_empty());
    assert_eq!(skipped.warnings[0].field, format!("mcp_servers.github.env.{name}"));
}

#[tokio::test]
async fn a_preset_read_back_from_its_document_is_the_same() {
    for entry in ConfigStore::open(Vec::new()).await.list() {
        let document = serde_json::to_value(&*entry.config).unwrap();
        assert_eq!(AgentConfig::from_json(document).unwrap().config, *entry.config);
    }
}
