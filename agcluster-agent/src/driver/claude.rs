//! Claude Code, over its native stream: one long-lived process a session, one JSON object a line each way.

mod ask;
mod command;
mod conduct;
mod control;
mod fields;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod initialize;
mod launch;
mod places;
mod revive;
mod run;
mod scrub;
#[cfg(test)]
mod tests;
mod tools;
mod transcript;
mod translate;
mod working;

use std::path::PathBuf;
use std::sync::Arc;

use agcluster_protocol::{Configure, McpServer};

use super::{DriverError, Ready, Surroundings};
use crate::ServerConfig;
use crate::model_proxy::ModelProxy;
use crate::program::ProcessTree;
use crate::recorder::Recorder;
use crate::vitals::Vitals;
use command::{Conversation, Current};
use conduct::Conduct;
use launch::Launcher;
use places::Home;
use run::Claude;
use tools::Tools;

#[cfg(feature = "fuzzing")]
pub(crate) use fuzz::fuzz;

/// Starts the program, and waits until it takes prompts.
pub(super) async fn start(
    config: Arc<ServerConfig>,
    tree: Arc<ProcessTree>,
    configure: Configure,
    recorder: Recorder,
) -> Result<Ready, DriverError> {
    let Configure { options, model_access, resume, transcript, .. } = configure;
    let access = model_access
        .ok_or_else(|| DriverError::Invalid("the driver `claude` needs `model_access`".to_owned()))?;
    let program = places::find_program(&config.programs.claude).ok_or_else(|| {
        DriverError::NotFound(format!(
            "Claude Code ({}) is not in this image: build the agent image, or name the program with AGCLUSTER_CLAUDE",
            config.programs.claude.display()
        ))
    })?;
    let directory = places::working_directory(&config, &tree, options.cwd.as_deref()).await?;
    let home = Home::prepare(config.agent_user, config.homes.as_deref())?;
    let proxy = ModelProxy::open(&access).await?;

    let conversation = match resume {
        Some(id) => Conversation::Resumed(id),
        None => Conversation::New(uuid::Uuid::new_v4().to_string()),
    };
    let current = Current { model: options.model.clone(), mode: options.permission_mode };
    let id = conversation.id().to_owned();
    // The configuration may have the program keep its things elsewhere.
    let kept_in = options.env.get("HOME").map(|home| PathBuf::from(home.expose()));
    let kept_in = kept_in.unwrap_or_else(|| home.path().to_owned());
    if !transcript.is_empty() {
        transcript::restore(&tree, &kept_in, config.agent_user, transcript).await?;
    }
    let resumed = matches!(conversation, Conversation::Resumed(_));
    let mut conduct = Conduct::new(recorder, id.clone(), &kept_in, options.permission_mode);
    conduct.scrub.add(access.api_key.expose());
    for secret in options.env.values().chain(options.mcp_servers.values().flat_map(secrets)) {
        conduct.scrub.add(secret.expose());
    }
    let tools = Tools::of(&options);
    let vitals = Vitals::new(Some(proxy.clock()));
    let launcher =
        Launcher { config, tree, options, tools, program, directory, home, proxy, vitals: vitals.clone() };
    let launcher = Arc::new(launcher);
    let surroundings = Surroundings { home: Some(kept_in), variables: launcher.variables() };
    let started =
        launcher.start(&current, &conversation).await.map_err(|error| error.cleaned(&conduct.scrub))?;
    let agent = format!("claude {}", started.version);
    let driver = Box::new(Claude::new(launcher, conduct, current, started, resumed));
    Ok(Ready { agent, conversation: Some(id), driver, vitals, surroundings })
}

fn secrets(server: &McpServer) -> impl Iterator<Item = &agcluster_protocol::Secret> {
    match server {
        McpServer::Stdio { env, .. } => env.values(),
        McpServer::Sse { headers, .. } | McpServer::Http { headers, .. } => headers.values(),
    }
}
