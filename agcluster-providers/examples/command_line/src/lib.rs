//! An example of a provider: containers by the `docker` command, or another one that takes the same arguments.
//!
//! What it may leave out it leaves out: it says so in its capabilities, and the behaviour suite holds it to them.

use std::time::Duration;

use agcluster_core::protocol::AGENT_PORT;
use agcluster_core::provider::{
    Address, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, ContainerState,
    DestroyOptions, Endpoint, Error, ErrorKind, Isolation, Labels, Limits, ListFilter, Probe,
    ProviderFactory, ProviderInfo, Result, Start, StopOptions,
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

/// The platform's name.
pub const PLATFORM: &str = "command_line";
/// No call takes longer.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at what another call is changing.
const PAUSE: Duration = Duration::from_millis(20);

/// Which command, and the image of agents that name none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandLine {
    program: String,
    image: String,
}

impl Default for CommandLine {
    fn default() -> Self {
        Self { program: "docker".to_owned(), image: "agcluster/agent:latest".to_owned() }
    }
}

/// Makes the platform known to an application, which then makes it by name from the user's configuration.
pub fn register(factory: &mut ProviderFactory) {
    factory.register_configured(PLATFORM, |config: CommandLine| Ok(config));
}

fn error(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(kind, PLATFORM, operation, message)
}

impl CommandLine {
    /// Runs the command to its end. Its words say what kind of failure it was.
    async fn call(&self, operation: &'static str, arguments: &[&str]) -> Result<String> {
        let ended = timeout(LIMIT, Command::new(&self.program).args(arguments).output()).await;
        let ended = ended
            .map_err(|_| error(ErrorKind::Timeout, operation, "the command did not end in time"))?
            .map_err(|why| {
                let message = format!("{} cannot be run: install it", self.program);
                error(ErrorKind::Unavailable, operation, message).with_source(why)
            })?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&ended.stderr).to_lowercase();
        let (kind, message) = [
            ("cannot connect", ErrorKind::Unavailable, "no engine answers: start it"),
            ("no such image", ErrorKind::Precondition, "the image is not there: pull or build it"),
            ("no such", ErrorKind::NotFound, "there is no such container"),
            ("already in use", ErrorKind::AlreadyExists, "the name is taken"),
            ("already in progress", ErrorKind::Gone, "another call is removing it"),
        ]
        .into_iter()
        .find(|(words, ..)| said.contains(words))
        .map_or((ErrorKind::Protocol, "the engine refused"), |(_, kind, message)| (kind, message));
        Err(error(kind, operation, message).with_code(ended.status.to_string()).with_source(said))
    }

    /// A container, and everything that the engine says of it.
    async fn look(&self, operation: &'static str, id: &ContainerId) -> Result<(Container, Value)> {
        if !id.0.starts_with("agc-") {
            return Err(error(ErrorKind::NotFound, operation, format!("there is no container {id}")));
        }
        let shown = self
            .call(operation, &["inspect", "--type", "container", "--format", "{{json .}}", &id.0])
            .await?;
        let seen: Value = serde_json::from_str(&shown)
            .map_err(|why| error(ErrorKind::Protocol, operation, "no JSON").with_source(why))?;
        let labels = Labels::from_map(|key| seen["Config"]["Labels"][key].as_str());
        let foreign = || error(ErrorKind::AlreadyExists, operation, "the name belongs to somebody else");
        let state = match seen["State"]["Status"].as_str() {
            Some("running") => ContainerState::Running,
            _ => {
                let exit_code = seen["State"]["ExitCode"].as_i64().and_then(|code| code.try_into().ok());
                ContainerState::Stopped { exit_code, reason: None }
            }
        };
        let created_at = seen["Created"].as_str().and_then(|at| at.parse().ok());
        Ok((Container { created_at, ..Container::new(labels.ok_or_else(foreign)?, state) }, seen))
    }

    /// Removes a container, which is gone after that, whoever removed it.
    async fn remove(&self, operation: &'static str, id: &ContainerId) -> Result<()> {
        loop {
            match self.call(operation, &["rm", "--force", "--volumes", &id.0]).await {
                Err(busy) if busy.kind() == ErrorKind::Gone => sleep(PAUSE).await,
                Err(gone) if gone.kind() == ErrorKind::NotFound => return Ok(()),
                done => return done.map(drop),
            }
        }
    }
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
        let version = self.call("probe", &["version", "--format", "{{.Server.Version}}"]).await?;
        Ok(Probe { version: Some(version), warnings: Vec::new() })
    }

    async fn create(&self, spec: ContainerSpec) -> Result<Container> {
        let id = ContainerId(spec.labels.container_name());
        let labels = spec.labels.to_map().into_iter().map(|(key, value)| format!("--label={key}={value}"));
        let env = spec.env.iter().map(|(key, value)| format!("--env={key}={value}"));
        let options: Vec<String> = labels.chain(env).collect();
        let mut run =
            vec!["run", "--detach", "--pull=never", "--security-opt=no-new-privileges", "--name", &id.0];
        run.extend(options.iter().map(String::as_str));
        run.push(spec.image.as_ref().unwrap_or(&self.image));
        let begun = Instant::now();
        while let Err(failed) = self.call("create", &run).await {
            if failed.kind() != ErrorKind::AlreadyExists {
                self.remove("create", &id).await?;
                return Err(failed);
            }
            // It is there: from a call whose answer was lost, or from one that is being made and not visible yet.
            match self.start(&id).await {
                Ok(there) if there.labels.session == spec.labels.session => break,
                Err(gone) if gone.kind() == ErrorKind::NotFound && begun.elapsed() < LIMIT => {
                    sleep(PAUSE).await
                }
                _ => return Err(failed),
            }
        }
        let (made, _) = self.look("create", &id).await?;
        let warnings = Limits::default().warnings(spec.resources, "this platform sets none");
        Ok(Container { warnings, ..made })
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        Ok(self.look("inspect", id).await?.0)
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let ours = ["ps", "--all", "--format", "{{.Names}}", "--filter", "label=agcluster.session"];
        let mut all = Vec::new();
        for name in self.call("list", &ours).await?.lines() {
            match self.look("list", &ContainerId(name.to_owned())).await {
                Ok((found, _)) if filter.matches(&found.labels) => all.push(found),
                Ok(_) => {}
                // Removed meanwhile, or another provider's.
                Err(gone) if gone.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let (found, seen) = self.look("endpoint", id).await?;
        if found.state != ContainerState::Running {
            return Err(error(ErrorKind::Gone, "endpoint", "the container does not run: start it"));
        }
        let address = seen["NetworkSettings"]["IPAddress"].as_str().unwrap_or_default();
        let url = format!("http://{address}:{AGENT_PORT}").parse();
        let url = url.map_err(|_| error(ErrorKind::Protocol, "endpoint", "the container has no address"))?;
        Ok(Endpoint::new(Address::Http(url)))
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        self.look("stop", id).await?;
        let grace = options.grace.as_secs().to_string();
        self.call("stop", &["stop", "--time", &grace, &id.0]).await.map(drop)
    }

    /// The workspace is in the container, and goes with it: there is nothing to keep.
    async fn destroy(&self, id: &ContainerId, _: DestroyOptions) -> Result<()> {
        match self.look("destroy", id).await {
            Ok(_) => self.remove("destroy", id).await,
            Err(gone) if gone.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        self.look("start", id).await?;
        self.call("start", &["start", &id.0]).await?;
        Ok(self.look("start", id).await?.0)
    }
}
