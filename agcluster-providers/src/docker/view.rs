//! The engine's view of a container, as the trait's.

use std::collections::HashMap;

use agcluster_core::protocol::AGENT_PORT;
use agcluster_core::provider::{
    Address, Container, ContainerId, ContainerState, Endpoint, Error, ErrorKind, Labels, Result,
};
use url::Url;

use super::PLATFORM;
use super::api::{Api, Seen, SeenState, SeenVolume};
use super::config::{DockerConfig, Reach};
use super::host::Host;
use crate::name;

/// Whose it is; `None` when it is not ours.
pub(super) fn labels(map: &HashMap<String, String>) -> Option<Labels> {
    Labels::from_map(|key| map.get(key).map(String::as_str))
}

/// A container; `None` when it is not ours.
pub(super) fn container(seen: &Seen, warnings: Vec<String>) -> Option<Container> {
    Some(Container {
        id: ContainerId(seen.name.clone()),
        state: state(&seen.state),
        labels: labels(&seen.labels)?,
        created_at: seen.created_at,
        // An engine ends nothing by itself.
        expires_at: None,
        warnings,
    })
}

/// A workspace without its container; `None` when it is not ours.
pub(super) fn remains(volume: &SeenVolume) -> Option<Container> {
    let labels = labels(&volume.labels)?;
    if volume.name != name::workspace(&labels) {
        return None;
    }
    Some(Container {
        id: ContainerId(volume.name.clone()),
        state: ContainerState::Remains,
        labels,
        created_at: volume.created_at.as_ref().and_then(|at| at.parse().ok()),
        expires_at: None,
        warnings: Vec::new(),
    })
}

fn state(seen: &SeenState) -> ContainerState {
    let stopped = |exit_code, reason: Option<&str>| ContainerState::Stopped {
        exit_code,
        reason: reason.map(str::to_owned),
    };
    match seen {
        SeenState::Running => ContainerState::Running,
        SeenState::Paused => ContainerState::Paused,
        SeenState::Restarting => ContainerState::Starting,
        SeenState::Created => stopped(None, Some("it was made and never started")),
        SeenState::Removing => stopped(None, Some("it is being removed")),
        SeenState::Exited { code, out_of_memory: true } => stopped(*code, Some("it ran out of memory")),
        SeenState::Exited { code, out_of_memory: false } => stopped(*code, None),
    }
}

/// Whether the agent server's port is published.
pub(super) fn publishes(config: &DockerConfig, api: &Api) -> bool {
    match config.reach {
        Reach::ContainerIp => false,
        Reach::PublishedPort => true,
        Reach::Auto => {
            let here = matches!(api.host, Host::Unix(_));
            !here || api.facts.rootless || api.facts.desktop
        }
    }
}

/// Where the agent server of a running container is.
pub(super) fn endpoint(config: &DockerConfig, api: &Api, seen: &Seen) -> Result<Endpoint> {
    let error = |kind, message: &str| Err(Error::new(kind, PLATFORM, "endpoint", message));
    match seen.state {
        SeenState::Running => {}
        SeenState::Paused => {
            return error(ErrorKind::Precondition, "the container is paused: resume it first");
        }
        _ => return error(ErrorKind::Gone, "the container does not run: start it, or make another one"),
    }
    let found = if publishes(config, api) {
        let port = seen.ports.get(&format!("{AGENT_PORT}/tcp"));
        port.map(|port| format!("http://{}:{port}", published_host(config, &api.host)))
    } else {
        let address = seen.addresses.get(&config.network);
        address.map(|address| format!("http://{}:{AGENT_PORT}", bracketed(address)))
    };
    match found.and_then(|url| Url::parse(&url).ok()) {
        Some(url) => Ok(Endpoint::new(Address::Http(url))),
        None if seen.addresses.is_empty() => {
            error(ErrorKind::Precondition, "the container is in no network: connect it to its network again")
        }
        None => error(
            ErrorKind::Precondition,
            "the container was made with another network or reach: set them back, or make a new container",
        ),
    }
}

/// The machine at which published ports are: where they were published, or the engine's own when that is everywhere.
fn published_host(config: &DockerConfig, host: &Host) -> String {
    if config.publish_address.is_unspecified() {
        return host.machine().unwrap_or("127.0.0.1").to_owned();
    }
    bracketed(&config.publish_address.to_string())
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_looked_for_where_they_are() {
        let remote = Host::parse("tcp://engine.example:2375", None).unwrap();
        let mut config = DockerConfig::default();
        assert_eq!(published_host(&config, &remote), "127.0.0.1");
        config.publish_address = std::net::IpAddr::from([0, 0, 0, 0]);
        assert_eq!(published_host(&config, &remote), "engine.example");
        assert_eq!(published_host(&config, &Host::Unix("/s".into())), "127.0.0.1");
        config.publish_address = "fd00::1".parse().unwrap();
        assert_eq!(published_host(&config, &remote), "[fd00::1]");
    }

    #[test]
    fn running_out_of_memory_is_said() {
        let seen = SeenState::Exited { code: Some(137), out_of_memory: true };
        let expected =
            ContainerState::Stopped { exit_code: Some(137), reason: Some("it ran out of memory".to_owned()) };
        assert_eq!(state(&seen), expected);
    }
}
