//! An example of a provider: containers by the `docker` command, or another one that takes the same arguments.
//!
//! What it may leave out it leaves out: it says so in its capabilities, and the behaviour suite holds it to them.

use std::process::Output;
use std::time::{Duration, Instant};

use agcluster_core::protocol::AGENT_PORT;
use agcluster_core::provider::{
    Address, Capabilities, Container, ContainerId, ContainerProvider, ContainerSpec, ContainerState,
    DestroyOptions, Endpoint, Error, ErrorKind, Isolation, Labels, Lifetime, Limits, ListFilter, Probe,
    ProviderFactory, ProviderInfo, Resources, Result, Start, StopOptions,
};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

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
    factory.register(PLATFORM, |config: Value| async move {
        let config: Option<CommandLine> = serde_json::from_value(config)
            .map_err(|why| error(ErrorKind::Invalid, "configure", why.to_string()))?;
        Ok(std::sync::Arc::new(config.unwrap_or_default()) as std::sync::Arc<dyn ContainerProvider>)
    });
}

fn error(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(kind, PLATFORM, operation, message)
}

/// A session's workspace: a volume that is named as its generation 0 would be.
fn workspace(labels: &Labels) -> String {
    Labels { generation: 0, ..labels.clone() }.container_name()
}

impl CommandLine {
    /// Runs the command to its end. Its words say what kind of failure it was.
    async fn run(&self, operation: &'static str, arguments: &[String]) -> Result<String> {
        let mut command = Command::new(&self.program);
        let ended = tokio::time::timeout(LIMIT, command.args(arguments).output()).await;
        let Ok(ended) = ended else {
            return Err(error(ErrorKind::Timeout, operation, "the command did not end in time"));
        };
        let Output { status, stdout, stderr } = ended.map_err(|why| {
            let message = format!("{} cannot be run: install it", self.program);
            error(ErrorKind::Unavailable, operation, message).with_source(why)
        })?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&stderr).to_lowercase();
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
        Err(error(kind, operation, message).with_code(status.to_string()).with_source(said))
    }

    async fn call(&self, operation: &'static str, arguments: &[&str]) -> Result<String> {
        self.run(operation, &arguments.iter().map(ToString::to_string).collect::<Vec<_>>()).await
    }

    /// What the engine knows of one of our names.
    async fn look(&self, operation: &'static str, kind: &str, id: &ContainerId) -> Result<Value> {
        let is_ours = id.0.starts_with("agc-") && id.0.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_ours {
            return Err(error(ErrorKind::NotFound, operation, format!("there is no container {id}")));
        }
        let text =
            self.call(operation, &["inspect", "--type", kind, "--format", "{{json .}}", &id.0]).await?;
        serde_json::from_str(&text)
            .map_err(|why| error(ErrorKind::Protocol, operation, "no JSON").with_source(why))
    }

    async fn found(&self, operation: &'static str, id: &ContainerId) -> Result<Container> {
        let kind = if id.0.ends_with("-g0") { "volume" } else { "container" };
        let seen = self.look(operation, kind, id).await?;
        let labels = if kind == "volume" { &seen["Labels"] } else { &seen["Config"]["Labels"] };
        let labels = Labels::from_map(|key| labels[key].as_str());
        let state = match (kind, seen["State"]["Status"].as_str()) {
            ("volume", _) => ContainerState::Remains,
            (_, Some("running")) => ContainerState::Running,
            (_, Some("paused")) => ContainerState::Paused,
            _ => ContainerState::Stopped {
                exit_code: seen["State"]["ExitCode"].as_i64().and_then(|code| code.try_into().ok()),
                reason: None,
            },
        };
        let created_at =
            seen["Created"].as_str().or(seen["CreatedAt"].as_str()).and_then(|at| at.parse().ok());
        let foreign = || error(ErrorKind::AlreadyExists, operation, "the name belongs to somebody else");
        let labels = labels.ok_or_else(foreign)?;
        Ok(Container { id: id.clone(), state, labels, created_at, expires_at: None, warnings: Vec::new() })
    }

    /// Removes a container, which is gone after that, whoever removed it.
    async fn remove(&self, operation: &'static str, id: &ContainerId) -> Result<()> {
        loop {
            match self.call(operation, &["rm", "--force", &id.0]).await {
                Err(busy) if busy.kind() == ErrorKind::Gone => tokio::time::sleep(PAUSE).await,
                Err(gone) if gone.kind() == ErrorKind::NotFound => return Ok(()),
                done => return done.map(drop),
            }
        }
    }

    fn arguments(&self, spec: &ContainerSpec) -> Vec<String> {
        let name = spec.labels.container_name();
        let mut all = ["run", "--detach", "--pull", "never", "--name", &name].map(str::to_owned).to_vec();
        let mut add = |option: &str, value: String| all.extend([option.to_owned(), value]);
        add("--security-opt", "no-new-privileges".to_owned());
        add("--volume", format!("{}:/workspace", workspace(&spec.labels)));
        spec.labels.to_map().into_iter().for_each(|(key, value)| add("--label", format!("{key}={value}")));
        spec.env.iter().for_each(|(key, value)| add("--env", format!("{key}={value}")));
        all.push(spec.image.clone().unwrap_or_else(|| self.image.clone()));
        all
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
        let mut volume = vec!["volume".to_owned(), "create".to_owned()];
        volume.extend(
            spec.labels
                .to_map()
                .iter()
                .flat_map(|(key, value)| ["--label".to_owned(), format!("{key}={value}")]),
        );
        volume.push(workspace(&spec.labels));
        self.run("create", &volume).await?;
        let begun = Instant::now();
        loop {
            let Err(failed) = self.run("create", &self.arguments(&spec)).await else { break };
            if failed.kind() != ErrorKind::AlreadyExists || begun.elapsed() > LIMIT {
                self.remove("create", &id).await?;
                if spec.labels.generation == 1 {
                    self.call("create", &["volume", "rm", "--force", &workspace(&spec.labels)]).await?;
                }
                return Err(failed);
            }
            // It is there: from a call whose answer was lost, or from one that is being made and not visible yet.
            match self.start(&id).await {
                Ok(there) if there.labels.session == spec.labels.session => break,
                Ok(_) => return Err(failed),
                Err(gone) if gone.kind() == ErrorKind::NotFound => tokio::time::sleep(PAUSE).await,
                Err(other) => return Err(other),
            }
        }
        let mut made = self.found("create", &id).await?;
        if spec.resources != Resources::default() {
            let warn = |what| format!("this platform does not limit {what}");
            made.warnings = ["processor time", "memory", "processes", "storage"].map(warn).to_vec();
        }
        Ok(made)
    }

    async fn inspect(&self, id: &ContainerId) -> Result<Container> {
        self.found("inspect", id).await
    }

    async fn list(&self, filter: ListFilter) -> Result<Vec<Container>> {
        let label = ["--filter", "label=agcluster.session"];
        let volumes =
            self.call("list", &["volume", "ls", "--format", "{{.Name}}", label[0], label[1]]).await?;
        let containers =
            self.call("list", &["ps", "--all", "--format", "{{.Names}}", label[0], label[1]]).await?;
        let mut all: Vec<Container> = Vec::new();
        for name in containers.lines().chain(volumes.lines()).filter(|name| name.starts_with("agc-")) {
            match self.found("list", &ContainerId(name.to_owned())).await {
                Ok(found) if filter.matches(&found.labels) => all.push(found),
                Ok(_) => {}
                // Removed meanwhile, or not ours.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {}
                Err(error) => return Err(error),
            }
        }
        // A workspace is what remains only where its container is gone.
        let used: Vec<_> =
            all.iter().filter(|c| c.state != ContainerState::Remains).map(|c| workspace(&c.labels)).collect();
        all.retain(|container| !used.contains(&container.id.0));
        Ok(all)
    }

    async fn endpoint(&self, id: &ContainerId) -> Result<Endpoint> {
        let seen = self.look("endpoint", "container", id).await?;
        if seen["State"]["Running"] != true {
            return Err(error(ErrorKind::Gone, "endpoint", "the container does not run: start it"));
        }
        let address = seen["NetworkSettings"]["IPAddress"].as_str().unwrap_or_default();
        let url = format!("http://{address}:{AGENT_PORT}").parse();
        let nowhere =
            |why: url::ParseError| error(ErrorKind::Protocol, "endpoint", "no address").with_source(why);
        Ok(Endpoint::new(Address::Http(url.map_err(nowhere)?)))
    }

    async fn stop(&self, id: &ContainerId, options: StopOptions) -> Result<()> {
        if self.found("stop", id).await?.state == ContainerState::Remains {
            return Ok(());
        }
        let grace = options.grace.as_secs().to_string();
        self.call("stop", &["stop", "--time", &grace, &id.0]).await.map(drop)
    }

    async fn destroy(&self, id: &ContainerId, options: DestroyOptions) -> Result<()> {
        let found = match self.found("destroy", id).await {
            Err(gone) if gone.kind() == ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        if found.state != ContainerState::Remains {
            self.remove("destroy", id).await?;
        }
        if !options.keep_workspace {
            self.call("destroy", &["volume", "rm", "--force", &workspace(&found.labels)]).await?;
        }
        Ok(())
    }

    async fn start(&self, id: &ContainerId) -> Result<Container> {
        self.look("start", "container", id).await?;
        self.call("start", &["start", &id.0]).await?;
        self.found("start", id).await
    }
}
