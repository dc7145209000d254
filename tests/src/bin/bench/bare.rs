//! Containers with nothing of AgCluster in them: the floor that the engine itself sets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, ListVolumesOptions, RemoveContainerOptions,
    StartContainerOptions,
};

use super::limits::{STEP, soon};

/// The name under which containers reach this machine.
pub(crate) const HOST: &str = "host.docker.internal";
const LABEL: &str = "agcluster.bench";

/// A container that is made without AgCluster.
#[derive(Debug)]
pub(crate) struct Bare {
    id: String,
    /// From the request to create it until the engine said that it runs.
    pub(crate) took: Duration,
}

/// A container that does nothing: the agent image on the agents' network, with no option besides.
pub(crate) fn idle(image: &str, network: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["/bin/sleep".to_owned(), "infinity".to_owned()]),
        host_config: Some(HostConfig { network_mode: Some(network.to_owned()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    }
}

impl Bare {
    /// Creates and starts one.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) async fn start(engine: &Docker, cluster: &str, mut body: ContainerCreateBody) -> Result<Self> {
        body.labels = Some(HashMap::from([(LABEL.to_owned(), cluster.to_owned())]));
        let begun = Instant::now();
        let started = async {
            let id = engine.create_container(None::<CreateContainerOptions>, body).await?.id;
            engine.start_container(&id, None::<StartContainerOptions>).await?;
            Ok(id)
        };
        let id = soon("a bare container's start", STEP, started).await?;
        Ok(Self { id, took: begun.elapsed() })
    }

    /// Removes it by force and gives how long that took.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) async fn remove(self, engine: &Docker) -> Result<Duration> {
        let begun = Instant::now();
        remove(engine, &self.id).await?;
        Ok(begun.elapsed())
    }
}

/// Removes all there are.
///
/// # Errors
/// The engine's.
pub(crate) async fn remove_all(engine: &Docker, cluster: &str) -> Result<()> {
    for id in labelled(engine, &format!("{LABEL}={cluster}")).await? {
        remove(engine, &id).await?;
    }
    Ok(())
}

/// The containers with a label, whatever they are doing.
///
/// # Errors
/// The engine's.
pub(crate) async fn labelled(engine: &Docker, label: &str) -> Result<Vec<String>> {
    let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
    let all = ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
    let listed = soon("a list of containers", STEP, async { Ok(engine.list_containers(Some(all)).await?) });
    Ok(listed.await?.into_iter().filter_map(|container| container.id).collect())
}

async fn remove(engine: &Docker, id: &str) -> Result<()> {
    // `v`: with the volumes that the image may declare.
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    soon("a container's removal", STEP, async { Ok(engine.remove_container(id, Some(options)).await?) }).await
}

/// How many volumes have a label.
///
/// # Errors
/// The engine's.
pub(crate) async fn volumes(engine: &Docker, label: &str) -> Result<usize> {
    let filters = Some(HashMap::from([("label".to_owned(), vec![label.to_owned()])]));
    let listed = async { Ok(engine.list_volumes(Some(ListVolumesOptions { filters })).await?) };
    Ok(soon("a list of volumes", STEP, listed).await?.volumes.unwrap_or_default().len())
}

/// Removes a network; one that nobody has made is fine.
///
/// # Errors
/// The engine's.
pub(crate) async fn remove_network(engine: &Docker, name: &str) -> Result<()> {
    let removed = async {
        match engine.remove_network(name).await {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            done => Ok(done?),
        }
    };
    soon("a network's removal", STEP, removed).await
}
