//! Vercel's view of a sandbox, as the trait's.

use agcluster_core::protocol::AGENT_PORT;
use agcluster_core::provider::{
    Address, Container, ContainerId, ContainerState, Endpoint, ErrorKind, Result,
};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::api::{Sandbox, Seen, Status};
use super::config::VercelConfig;
use super::tags::{self, Tagged};
use super::{error, wait};

/// A sandbox with its session; `None` when it is not ours.
pub(super) fn container(seen: &Seen, warnings: Vec<String>) -> Option<Container> {
    let mut container = listed(&seen.sandbox, warnings)?;
    if container.state != ContainerState::Remains {
        container.state = state(seen.session.status);
        container.expires_at = seen.session.expires_at();
    }
    Some(container)
}

/// A sandbox as a list has it; `None` when it is not ours.
pub(super) fn listed(sandbox: &Sandbox, warnings: Vec<String>) -> Option<Container> {
    let Tagged { labels, kept } = tags::read(&sandbox.tags)?;
    if labels.container_name() != sandbox.name {
        return None;
    }
    let running = sandbox.status == Status::Running;
    Some(Container {
        id: ContainerId(sandbox.name.clone()),
        state: if kept.is_some() { ContainerState::Remains } else { state(sandbox.status) },
        labels,
        created_at: sandbox.created_at.at(),
        expires_at: sandbox.expires_at.filter(|_| running).and_then(|at| at.at()),
        warnings,
    })
}

fn state(status: Status) -> ContainerState {
    let stopped =
        |reason: Option<&str>| ContainerState::Stopped { exit_code: None, reason: reason.map(str::to_owned) };
    match status {
        Status::Pending => ContainerState::Starting,
        Status::Running => ContainerState::Running,
        Status::Stopped => stopped(None),
        Status::Stopping => stopped(Some("it is being stopped")),
        Status::Snapshotting => stopped(Some("it is being saved")),
        Status::Failed => stopped(Some("its machine failed")),
        Status::Aborted => stopped(Some("Vercel ended it")),
        Status::Unknown => stopped(Some("it is in a state that this version does not know")),
    }
}

/// Where the agent server of a running session is, until the session ends: the next one has other routes.
pub(super) fn endpoint(config: &VercelConfig, seen: &Seen) -> Result<Endpoint> {
    wait::running(seen, "endpoint")?;
    let route = seen.routes.iter().find(|route| route.port == u32::from(AGENT_PORT));
    let Some(url) = route.and_then(|route| Url::parse(&route.url).ok()) else {
        return Err(error::plain(
            ErrorKind::Precondition,
            "endpoint",
            "the container was made without a route to its agent server: make a new one",
        ));
    };
    let mut endpoint = Endpoint::new(Address::Http(url));
    endpoint.headers = headers(config);
    endpoint.expires_at = seen.session.expires_at();
    Ok(endpoint)
}

/// The configured headers; `validate` has seen that they can be sent.
fn headers(config: &VercelConfig) -> HeaderMap {
    let header = |(name, value): (&String, &agcluster_core::protocol::Secret)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    };
    config.headers.iter().filter_map(header).collect()
}

/// So long from now, as a time.
pub(super) fn from_now(duration: std::time::Duration) -> Option<Timestamp> {
    Timestamp::now().checked_add(jiff::SignedDuration::try_from(duration).ok()?).ok()
}
