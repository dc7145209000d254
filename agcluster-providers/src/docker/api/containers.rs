//! Containers: made, looked at, started, ended.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, HostConfig,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures::StreamExt;

use super::body::agent_mount;
use super::{Api, ContainerPlan, Failure, bounded, label_filters};

/// A container as the engine shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Seen {
    pub(in super::super) name: String,
    /// The id of its image's content.
    pub(in super::super) image_id: String,
    pub(in super::super) labels: HashMap<String, String>,
    pub(in super::super) state: SeenState,
    pub(in super::super) created_at: Option<jiff::Timestamp>,
    /// Its address in each of its networks.
    pub(in super::super) addresses: HashMap<String, String>,
    /// Host ports by container port, as in `3000/tcp`.
    pub(in super::super) ports: HashMap<String, String>,
}

/// What a container is doing, as far as the engine tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum SeenState {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited { code: Option<i32>, out_of_memory: bool },
}

/// What creating a container came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Created {
    /// It was made.
    New,
    /// One of that name is there already.
    NameTaken,
}

/// How long Podman may show a state that passes.
const PASSING: Duration = Duration::from_secs(5);

impl Api {
    /// Makes a container without starting it.
    pub(in super::super) async fn create(
        &self,
        name: &str,
        plan: &ContainerPlan,
    ) -> Result<Created, Failure> {
        self.create_from(name, plan.body()).await
    }

    /// Makes a container that is never started: through it, files get into a volume.
    pub(in super::super) async fn create_filler(
        &self,
        name: &str,
        image: &str,
        volume: &str,
    ) -> Result<Created, Failure> {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // Never run; an image without any command is refused.
            entrypoint: Some(vec!["/never-started".to_owned()]),
            network_disabled: Some(true),
            labels: Some(HashMap::from([("agcluster.agent-server".to_owned(), "filling".to_owned())])),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                mounts: Some(vec![agent_mount(volume, false)]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        self.create_from(name, body).await
    }

    async fn create_from(&self, name: &str, body: ContainerCreateBody) -> Result<Created, Failure> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        match bounded(self.timeouts.change(), self.docker.create_container(Some(options), body)).await {
            Ok(created) => {
                for warning in &created.warnings {
                    tracing::warn!(container = name, warning, "the engine warns");
                }
                Ok(Created::New)
            }
            Err(failure) if failure.says(409, "already in use") => Ok(Created::NameTaken),
            // Podman's way of saying it.
            Err(failure) if failure.says(500, "name is already in use") => Ok(Created::NameTaken),
            Err(failure) => Err(failure),
        }
    }

    /// Starts a container; success when it runs already.
    pub(in super::super) async fn start(&self, name: &str) -> Result<(), Failure> {
        let start = self.docker.start_container(name, None::<StartContainerOptions>);
        bounded(self.timeouts.change(), start).await
    }

    /// Looks at a container.
    pub(in super::super) async fn inspect(&self, name: &str) -> Result<Seen, Failure> {
        bounded(self.timeouts.call(), self.docker.inspect_container(name, None)).await.map(Seen::from)
    }

    /// All containers with these labels, `key` or `key=value`, whatever they are doing.
    pub(in super::super) async fn containers(&self, labels: &[String]) -> Result<Vec<Seen>, Failure> {
        Ok(self.list(&label_filters(labels)).await?.into_iter().map(Seen::from).collect())
    }

    async fn list(&self, filters: &HashMap<String, Vec<String>>) -> Result<Vec<ContainerSummary>, Failure> {
        let options = ListContainersOptionsBuilder::new().all(true).filters(filters).build();
        let mut again = tokio::time::interval(PASSING / 50);
        let listed = async {
            loop {
                again.tick().await;
                match self.docker.list_containers(Some(options.clone())).await {
                    // Until it has cleaned up behind a container, Podman calls it by a word that the API does not have.
                    Err(bollard::errors::Error::JsonDataError { .. }) if self.facts.podman => {}
                    listed => return listed,
                }
            }
        };
        let limit = if self.facts.podman { PASSING } else { self.timeouts.call() };
        bounded(limit, listed).await
    }

    /// Whether any container, running or not, uses a volume.
    pub(in super::super) async fn is_volume_used(&self, volume: &str) -> Result<bool, Failure> {
        let filters = HashMap::from([("volume".to_owned(), vec![volume.to_owned()])]);
        Ok(!self.list(&filters).await?.is_empty())
    }

    /// Ends a container; success when it stands still.
    pub(in super::super) async fn stop(&self, name: &str, grace: Duration) -> Result<(), Failure> {
        // The engine counts in whole seconds.
        let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
        let options =
            StopContainerOptionsBuilder::new().t(i32::try_from(seconds).unwrap_or(i32::MAX)).build();
        let limit = self.timeouts.change().saturating_add(grace);
        bounded(limit, self.docker.stop_container(name, Some(options))).await
    }

    /// Removes a container, running or not, with its anonymous volumes; 404 when there is none.
    pub(in super::super) async fn remove(&self, name: &str) -> Result<(), Failure> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        bounded(self.timeouts.change(), self.docker.remove_container(name, Some(options))).await
    }

    /// Waits until a container is gone; success when there is none.
    pub(in super::super) async fn wait_until_removed(
        &self,
        name: &str,
        limit: Duration,
    ) -> Result<(), Failure> {
        let options = WaitContainerOptionsBuilder::new().condition("removed").build();
        let gone = async {
            let mut answers = self.docker.wait_container(name, Some(options));
            while let Some(answer) = answers.next().await {
                match answer {
                    // Its exit code comes as an error; it tells nothing here.
                    Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        match bounded(limit, gone).await {
            Err(failure) if !failure.is_not_found() => Err(failure),
            _ => Ok(()),
        }
    }

    /// Freezes a container.
    pub(in super::super) async fn pause(&self, name: &str) -> Result<(), Failure> {
        bounded(self.timeouts.change(), self.docker.pause_container(name)).await
    }

    /// Thaws a container.
    pub(in super::super) async fn unpause(&self, name: &str) -> Result<(), Failure> {
        bounded(self.timeouts.change(), self.docker.unpause_container(name)).await
    }
}

impl From<ContainerInspectResponse> for Seen {
    fn from(container: ContainerInspectResponse) -> Self {
        let state = container.state.unwrap_or_default();
        let code = state.exit_code.and_then(|code| i32::try_from(code).ok());
        let out_of_memory = state.oom_killed.unwrap_or(false);
        let state = match state.status {
            Some(ContainerStateStatusEnum::RUNNING) => SeenState::Running,
            Some(ContainerStateStatusEnum::PAUSED) => SeenState::Paused,
            Some(ContainerStateStatusEnum::RESTARTING) => SeenState::Restarting,
            Some(ContainerStateStatusEnum::REMOVING) => SeenState::Removing,
            Some(ContainerStateStatusEnum::CREATED) => SeenState::Created,
            _ => SeenState::Exited { code, out_of_memory },
        };
        let network = container.network_settings.unwrap_or_default();
        let addresses = network.networks.unwrap_or_default().into_iter();
        let ports = network.ports.unwrap_or_default().into_iter();
        Self {
            name: container.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            image_id: container.image.unwrap_or_default(),
            labels: container.config.and_then(|config| config.labels).unwrap_or_default(),
            state,
            created_at: container.created.and_then(|at| at.parse().ok()),
            addresses: addresses
                .filter_map(|(name, end)| Some((name, end.ip_address.filter(|ip| !ip.is_empty())?)))
                .collect(),
            ports: ports
                .filter_map(|(port, bound)| Some((port, bound?.into_iter().find_map(|b| b.host_port)?)))
                .collect(),
        }
    }
}

impl From<ContainerSummary> for Seen {
    fn from(container: ContainerSummary) -> Self {
        let code = container.status.as_deref().and_then(exit_code);
        let state = match container.state {
            Some(ContainerSummaryStateEnum::RUNNING) => SeenState::Running,
            Some(ContainerSummaryStateEnum::PAUSED) => SeenState::Paused,
            Some(ContainerSummaryStateEnum::RESTARTING) => SeenState::Restarting,
            Some(ContainerSummaryStateEnum::REMOVING) => SeenState::Removing,
            Some(ContainerSummaryStateEnum::CREATED) => SeenState::Created,
            _ => SeenState::Exited { code, out_of_memory: false },
        };
        let names = container.names.unwrap_or_default();
        Self {
            name: names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default(),
            image_id: container.image_id.unwrap_or_default(),
            labels: container.labels.unwrap_or_default(),
            state,
            created_at: container.created.and_then(|at| jiff::Timestamp::from_second(at).ok()),
            addresses: HashMap::new(),
            ports: HashMap::new(),
        }
    }
}

/// The code in `Exited (137) 2 minutes ago`: a listing has it nowhere else.
fn exit_code(status: &str) -> Option<i32> {
    status.strip_prefix("Exited (")?.split_once(')')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_read_from_a_listing() {
        assert_eq!(exit_code("Exited (137) 2 minutes ago"), Some(137));
        assert_eq!(exit_code("Up 3 hours"), None);
    }
}
