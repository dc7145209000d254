//! Launches an agent in a Docker container, chats with it, stops it.
//!
//! With `ANTHROPIC_API_KEY` set it is Claude Code; without, the scripted agent, which says back what it hears.

#![allow(clippy::print_stdout, reason = "an example talks on its terminal")]

use std::sync::Arc;

use agcluster_core::config::{AgentConfig, AgentDefaults, McpEnv};
use agcluster_core::protocol::{EventBody, ModelAccess, PromptBlock, Secret};
use agcluster_core::session::{Launch, Owner, Sessions};
use agcluster_providers::docker::{DockerConfig, DockerProvider};
use futures::StreamExt;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let key = std::env::var("ANTHROPIC_API_KEY").ok().map(Secret::new);
    let driver = if key.is_some() { "claude" } else { "scripted" };
    let config = AgentConfig::from_yaml(&format!(
        "{{id: helper, name: Helper, driver: {driver}, allowed_tools: [Bash]}}"
    ))?
    .config;

    let sessions = Sessions::on(Arc::new(DockerProvider::new(DockerConfig::default())?))?;
    let options = config.to_options(&McpEnv::new(), &AgentDefaults::default())?;
    let mut launch = Launch::new(&config, options, Owner::of(&Secret::new("me")));
    launch.model_access =
        key.map(|api_key| ModelAccess { base_url: "https://api.anthropic.com".into(), api_key });
    let session = sessions.launch(launch).await?;

    let mut turn = session.chat(vec![PromptBlock::text("Say hello.")]).await?;
    while let Some(record) = turn.next().await {
        match &record?.event.body {
            EventBody::Text { text, .. } => println!("{text}"),
            EventBody::TurnEnded(end) => println!("{:?}", end.outcome),
            _ => {}
        }
    }
    sessions.remove(session.id()).await?;
    Ok(())
}
