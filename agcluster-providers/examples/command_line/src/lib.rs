//! An example of a provider: containers by the `docker` command.
//!
//! What it may leave out it leaves out: it says so in its capabilities, and the behaviour suite holds it to them.

use std::time::Duration;

use agcluster_core::protocol::AGENT_PORT;
use agcluster_core::provider::{
    Address, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, ContainerState,
    DestroyOptions, Endpoint, Error, ErrorKind, Isolation, Labels, Limits, ListFilter, Probe,
    ProviderFactory, ProviderInfo, Result, Start, StopOptions, found,
};
use async_trait::async_trait;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

/// The platform's name.
pub const PLATFORM: &str = "command_line";
/// No call takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// What the command says when it fails, and what kind of failure that is; most telling first.
const REFUSALS: [(&str, ErrorKind, &str); 5] = [
    ("cannot connect", ErrorKind::Unavailable, "no engine answers: start it"),
    ("no such image", ErrorKind::Precondition, "the image is not there: pull or build it"),
    ("no such", ErrorKind::NotFound, "there is no such container"),
    ("already in use", ErrorKind::AlreadyExists, "the name is taken"),
    ("already in progress", ErrorKind::Unavailable, "another call is removing it: try again"),
];

/// The platform as users configure it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandLine {
    /// The image of agents that name none.
    image: Option<String>,
}

/// Makes the platform known to an application, which then makes it by name from the user's configuration.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_configured(PLATFORM, |config: CommandLine| Ok(config));
}

fn error(kind: ErrorKind, operation: &'static str, message: &str) -> Error {
    Error::new(kind, PLATFORM, operation, message)
}

/// Runs the command to its end.
async fn docker(operation: &'static str, arguments: &[&str]) -> Result<String> {
    let Ok(Ok(ended)) = timeout(LIMIT, Command::new("docker").args(arguments).output()).await else {
        return Err(error(ErrorKind::Unavailable, operation, "docker cannot be run, or does not end"));
    };
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr).to_lowercase();
    let known = REFUSALS.iter().find(|(words, ..)| said.contains(words));
    let (_, kind, message) = known.unwrap_or(&("", ErrorKind::Protocol, "the engine refused"));
    Err(error(*kind, operation, message).with_code(ended.status.to_string()).with_source(said))
}

/// A container, and everything that the engine says of it.
async fn look(operation: &'static str, id: &ContainerId) -> Result<(Container, Value)> {
    if !id.0.starts_with("agc-") {
        return Err(error(ErrorKind::NotFound, operation, "there is no such container"));
    }
    let shown = docker(operation, &["inspect", "--type=container", "--format={{json .}}", &id.0]).await?;
    let seen: Value = serde_json::from_str(&shown)
        .map_err(|why| error(ErrorKind::Protocol, operation, "the engine wrote no JSON").with_source(why))?;
    let labels = Labels::from_map(|key| seen["Config"]["Labels"][key].as_str())
        .ok_or_else(|| error(ErrorKind::AlreadyExists, operation, "the name belongs to somebody else"))?;
    let exit_code = seen["State"]["ExitCode"].as_i64().and_then(|code| code.try_into().ok());
    let stopped = ContainerState::Stopped { exit_code, reason: None };
    let state = if seen["State"]["Running"] == true { ContainerState::Running } else { stopped };
    Ok((Container::new(labels, state), seen))
}

#[async_trait]
impl ContainerProvider for CommandLine {
    fn info(&self) -> ProviderInfo {
        let capabilities = Capabilities {
            custom_image: true,
            start: Some(Start { keeps_workspace: true }),
            ..Capabilities::required(Isolation::Container)
        };
        ProviderInfo { platform: PLATFORM, capabilities }
    }

    async fn probe(&self) -> Result<Probe> {
        let version = docker("probe", &["version", "--format={{.Server.Version}}"]).await?;
        Ok(Probe { version: Some(version), warnings: Vec::new() })
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let id = ContainerId(spec.labels.container_name());
        let image = spec.image.as_deref().or(self.image.as_deref()).unwrap_or("agcluster/agent:latest");
        let labels = spec.labels.to_map().into_iter().map(|(key, value)| format!("--label={key}={value}"));
        let env = spec.env.iter().map(|(key, value)| format!("--env={key}={value}"));
        let options: Vec<String> = labels.chain(env).collect();
        let fixed = ["create", "--pull=never", "--security-opt=no-new-privileges", "--name", &id.0];
        let all = fixed.into_iter().chain(options.iter().map(String::as_str)).chain([image]);
        match docker("create", &all.collect::<Vec<_>>()).await {
            // It is there, from a call whose answer was lost.
            Err(taken) if taken.kind() == ErrorKind::AlreadyExists => {}
            made => drop(made?),
        }
        let warnings = Limits::default().warnings(spec.resources, "this platform sets none");
        match found(self.start(&id).await) {
            Ok(Some(made)) if made.labels.session == spec.labels.session => {
                Ok(Container { warnings, ..made })
            }
            Ok(Some(_)) => Err(error(ErrorKind::AlreadyExists, "create", "the name is another session's")),
            // Which is what the layers around a provider do.
            Ok(None) => Err(error(ErrorKind::Unavailable, "create", "another call is making it: try again")),
            Err(failed) => self.destroy(&id, DestroyOptions::default()).await.and(Err(failed)),
        }
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        Ok(look("inspect", id).await?.0)
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let ours = ["ps", "--all", "--format={{.Names}}", "--filter=label=agcluster.session"];
        let mut all = Vec::new();
        for name in docker("list", &ours).await?.lines() {
            // What was removed meanwhile is not there.
            all.extend(found(look("list", &ContainerId(name.to_owned())).await)?.map(|seen| seen.0));
        }
        all.retain(|container| filter.matches(&container.labels));
        Ok(all)
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let (container, seen) = look("endpoint", id).await?;
        if container.state != ContainerState::Running {
            return Err(error(ErrorKind::Gone, "endpoint", "the container does not run: start it"));
        }
        let address = seen["NetworkSettings"]["IPAddress"].as_str().unwrap_or_default();
        let url = format!("http://{address}:{AGENT_PORT}").parse();
        let url = url.map_err(|_| error(ErrorKind::Protocol, "endpoint", "the container has no address"))?;
        Ok(Endpoint::new(Address::Http(url)))
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        look("stop", id).await?;
        docker("stop", &["stop", "--time", &options.grace.as_secs().to_string(), &id.0]).await.map(drop)
    }

    /// The workspace is in the container, and goes with it: there is nothing to keep.
    async fn destroy(&self, id: &ContainerId, _: DestroyOptions) -> Result<()> {
        if found(look("destroy", id).await)?.is_some() {
            found(docker("destroy", &["rm", "--force", "--volumes", &id.0]).await)?;
        }
        Ok(())
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        look("start", id).await?;
        docker("start", &["start", &id.0]).await?;
        self.inspect(id).await
    }
}
