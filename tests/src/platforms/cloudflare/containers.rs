//! The containers that `workerd` makes on this machine's engine, found by their names: it gives them no labels, and leaves them behind.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{
    InspectNetworkOptions, KillContainerOptions, ListContainersOptions, RemoveContainerOptions,
};

/// What all keys begin with; the process id follows.
const KEY: &str = "agctest-";

/// A key that no other gateway has. `workerd` puts it into the names of its containers.
pub(super) fn new_key() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{KEY}{}-{:x}-{number}", std::process::id(), jiff::Timestamp::now().as_microsecond())
}

/// What the names of a key's containers begin with.
pub(super) fn prefix(key: &str) -> String {
    format!("workerd-{key}-")
}

async fn engine() -> anyhow::Result<Docker> {
    Ok(Docker::connect_with_defaults()?.negotiate_version().await?)
}

async fn named(engine: &Docker, prefix: &str) -> anyhow::Result<Vec<(String, ContainerSummary)>> {
    let filters = Some(HashMap::from([("name".to_owned(), vec![format!("^/{prefix}")])]));
    let options = ListContainersOptions { all: true, filters, ..ListContainersOptions::default() };
    let all = engine.list_containers(Some(options)).await?;
    let name = |container: &ContainerSummary| Some(container.names.as_ref()?.first()?[1..].to_owned());
    Ok(all.into_iter().filter_map(|container| Some((name(&container)?, container))).collect())
}

/// The names of those that have not ended.
pub(super) async fn running(prefix: &str) -> anyhow::Result<Vec<String>> {
    let all = named(&engine().await?, prefix).await?;
    let ended = [ContainerSummaryStateEnum::EXITED, ContainerSummaryStateEnum::DEAD];
    let lives = |container: &ContainerSummary| !container.state.is_some_and(|state| ended.contains(&state));
    Ok(all.into_iter().filter(|(_, container)| lives(container)).map(|(name, _)| name).collect())
}

/// Kills the one container of this prefix that runs.
///
/// # Errors
/// When there is none, or more than one.
pub async fn kill(prefix: &str) -> anyhow::Result<()> {
    let names = running(prefix).await?;
    ensure!(names.len() == 1, "one container should run, and there are {names:?}");
    engine().await?.kill_container(&names[0], None::<KillContainerOptions>).await?;
    Ok(())
}

/// Removes all of this prefix, whatever they do.
pub(super) async fn remove(prefix: &str) -> anyhow::Result<()> {
    let engine = engine().await?;
    for (name, _) in named(&engine, prefix).await? {
        remove_one(&engine, &name).await?;
    }
    let left = named(&engine, prefix).await?;
    ensure!(left.is_empty(), "containers stay: {left:#?}");
    Ok(())
}

async fn remove_one(engine: &Docker, name: &str) -> Result<(), Error> {
    let options = RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
    engine.remove_container(name, Some(options)).await
}

/// Removes those of tests that were killed: of processes that are no more.
pub(super) async fn remove_abandoned() -> anyhow::Result<()> {
    let engine = engine().await?;
    let mine = format!("workerd-{KEY}");
    for (name, _) in named(&engine, &mine).await? {
        let process = name.strip_prefix(&mine).and_then(|rest| rest.split('-').next());
        if process.is_none_or(|process| Path::new("/proc").join(process).exists()) {
            continue;
        }
        match remove_one(&engine, &name).await {
            // Another test is removing it, or has.
            Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// The address under which this machine is reached from containers of the engine's default network, where `workerd` puts them.
///
/// # Errors
/// When the network has no address.
pub async fn agent_host() -> anyhow::Result<String> {
    let network = engine().await?.inspect_network("bridge", None::<InspectNetworkOptions>).await?;
    let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let said = configs.iter().find_map(|config| config.gateway.clone());
    // An engine that was restarted may say the network's addresses alone. Its own is the first of them.
    let first = || configs.iter().find_map(|config| first_of(config.subnet.as_deref()?));
    said.or_else(first).context("the engine's default network has no gateway address")
}

/// The first address of a network such as `172.17.0.0/16`.
fn first_of(subnet: &str) -> Option<String> {
    let network: Ipv4Addr = subnet.split('/').next()?.parse().ok()?;
    Some(Ipv4Addr::from(u32::from(network) + 1).to_string())
}
