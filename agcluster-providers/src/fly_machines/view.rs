//! The platform's view of a machine, as the trait's.

use std::collections::BTreeMap;
use std::net::IpAddr;

use agcluster_core::protocol::AGENT_PORT;
use agcluster_core::provider::{
    Address, Container, ContainerState, Endpoint, Error, ErrorKind, Labels, Result,
};
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::api::Machine;
use super::config::{FlyMachinesConfig, Reach};
use super::{PLATFORM, apps};

/// Names the machine that a request to the public host is for.
const FORCE_INSTANCE: HeaderName = HeaderName::from_static("fly-force-instance-id");

/// A label's name as a key of metadata: without a dot, which stands for something else in queries.
pub(super) fn key(label: &str) -> String {
    label.replace('.', "_")
}

/// Labels as metadata.
pub(super) fn metadata(labels: &Labels) -> BTreeMap<String, String> {
    labels.to_map().into_iter().map(|(name, value)| (key(&name), value)).collect()
}

/// Whose a machine is; `None` when it is not ours.
pub(super) fn labels(machine: &Machine) -> Option<Labels> {
    Labels::from_map(|name| machine.metadata(&key(name)))
}

/// Whether a machine is gone, or will be without anybody doing anything.
pub(super) fn is_gone(machine: &Machine) -> bool {
    matches!(machine.state(), "destroying" | "destroyed" | "launch_failed" | "replaced" | "migrated")
}

/// A container; `None` when it is gone or not ours.
pub(super) fn container(app: &str, machine: &Machine, warnings: Vec<String>) -> Option<Container> {
    if is_gone(machine) {
        return None;
    }
    Some(Container {
        id: apps::id(app, &machine.id),
        state: state(machine),
        labels: labels(machine)?,
        created_at: machine.created_at.as_ref().and_then(|at| at.parse().ok()),
        // A machine lives until somebody ends it.
        expires_at: None,
        warnings,
    })
}

/// An app without a machine. Nothing is known of it but its name, which begins with the cluster's digest.
pub(super) fn remains(app: &str, cluster: &str) -> Container {
    Container {
        id: agcluster_core::provider::ContainerId(app.to_owned()),
        state: ContainerState::Remains,
        labels: Labels {
            cluster: cluster.to_owned(),
            session: app.to_owned(),
            agent: String::new(),
            generation: 0,
            expires_at: None,
        },
        created_at: None,
        expires_at: None,
        warnings: Vec::new(),
    }
}

fn state(machine: &Machine) -> ContainerState {
    let stopped = |exit_code, reason: Option<String>| ContainerState::Stopped { exit_code, reason };
    match machine.state() {
        "created" | "creating" | "starting" | "restarting" | "updating" | "replacing" => {
            ContainerState::Starting
        }
        "started" => ContainerState::Running,
        "suspending" | "suspended" => ContainerState::Paused,
        "stopping" => stopped(None, Some("it is being stopped".to_owned())),
        "stopped" => {
            let exit = machine.last_exit().unwrap_or_default();
            let reason = exit.oom_killed.unwrap_or(false).then(|| "it ran out of memory".to_owned());
            stopped(exit.exit_code, reason)
        }
        "failed" => stopped(None, Some("Fly could not run it".to_owned())),
        other => {
            tracing::warn!(
                machine = machine.id,
                state = other,
                "a machine is in a state that is not known here"
            );
            ContainerState::Starting
        }
    }
}

/// Where the agent server of a machine is.
pub(super) fn endpoint(config: &FlyMachinesConfig, app: &str, machine: &Machine) -> Result<Endpoint> {
    let error = |kind, message: &str| Err(Error::new(kind, PLATFORM, "endpoint", message));
    if is_gone(machine) {
        let id = apps::id(app, &machine.id);
        return error(ErrorKind::NotFound, &format!("there is no container {id}"));
    }
    match state(machine) {
        ContainerState::Running | ContainerState::Starting => {}
        ContainerState::Paused => {
            return error(ErrorKind::Precondition, "the machine is suspended: resume it first");
        }
        ContainerState::Stopped { .. } | ContainerState::Remains => {
            return error(ErrorKind::Gone, "the machine does not run: start it, or make another one");
        }
    }
    let found = match config.reach {
        Reach::Public => public(config, app, &machine.id),
        Reach::Private => machine.private_ip.as_deref().and_then(private),
    };
    found.map_or_else(
        || {
            error(
                ErrorKind::Precondition,
                "the machine has no address: set reach and public_url to what the app has",
            )
        },
        Ok,
    )
}

fn public(config: &FlyMachinesConfig, app: &str, machine: &str) -> Option<Endpoint> {
    let mut endpoint = Endpoint::new(Address::Http(config.public_url_of(app)?));
    endpoint.headers.insert(FORCE_INSTANCE, HeaderValue::try_from(machine).ok()?);
    Some(endpoint)
}

fn private(address: &str) -> Option<Endpoint> {
    let host = match address.parse().ok()? {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Url::parse(&format!("http://{host}:{AGENT_PORT}")).ok().map(|url| Endpoint::new(Address::Http(url)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(state: &str) -> Machine {
        let ip = Some("fdaa:0:1::3".to_owned());
        let mut machine = Machine::default().in_state(state.to_owned());
        (machine.id, machine.private_ip) = ("1".to_owned(), ip);
        machine
    }

    #[test]
    fn every_state_of_the_platform_means_something() {
        for (name, expected) in [
            ("created", Some(ContainerState::Starting)),
            ("replacing", Some(ContainerState::Starting)),
            ("started", Some(ContainerState::Running)),
            ("suspended", Some(ContainerState::Paused)),
            ("something-new", Some(ContainerState::Starting)),
            ("destroyed", None),
            ("launch_failed", None),
        ] {
            let machine = machine(name);
            let seen = (!is_gone(&machine)).then(|| state(&machine));
            assert_eq!(seen, expected, "{name}");
        }
        for name in ["stopping", "stopped", "failed"] {
            assert!(matches!(state(&machine(name)), ContainerState::Stopped { .. }), "{name}");
        }
    }

    #[test]
    fn a_public_endpoint_names_its_machine() {
        let config = FlyMachinesConfig::default();
        let endpoint = endpoint(&config, "agents", &machine("started")).unwrap();
        assert_eq!(format!("{:?}", endpoint.address), "https://agents.fly.dev/");
        assert_eq!(endpoint.headers[FORCE_INSTANCE], "1");
    }

    #[test]
    fn a_private_endpoint_is_the_machines_own_address() {
        let config = FlyMachinesConfig { reach: Reach::Private, ..FlyMachinesConfig::default() };
        let endpoint = endpoint(&config, "agents", &machine("started")).unwrap();
        assert_eq!(format!("{:?}", endpoint.address), "http://[fdaa:0:1::3]:3000/");
        assert!(endpoint.headers.is_empty());
    }

    #[test]
    fn only_what_runs_has_an_endpoint() {
        let config = FlyMachinesConfig::default();
        for (state, kind) in [
            ("stopped", ErrorKind::Gone),
            ("suspended", ErrorKind::Precondition),
            ("destroyed", ErrorKind::NotFound),
        ] {
            assert_eq!(endpoint(&config, "agents", &machine(state)).unwrap_err().kind(), kind, "{state}");
        }
    }
}
