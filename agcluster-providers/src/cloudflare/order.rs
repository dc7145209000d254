//! From a spec to what the gateway is asked for, and what of it is not held.

use std::time::Duration;

use agcluster_core::provider::{ContainerSpec, Resources};
use jiff::{SignedDuration, Timestamp};

use super::AGENT_PORT;
use super::api::CreateOrder;
use super::config::CloudflareConfig;

/// What is asked for, and what is less than the spec says.
pub(super) fn order(config: &CloudflareConfig, spec: ContainerSpec) -> (CreateOrder, Vec<String>) {
    let mut warnings = unheld(&spec.resources);
    let longest = Duration::from_secs(config.max_lifetime_seconds);
    let wanted = spec.lifetime.unwrap_or(Duration::from_secs(config.lifetime_seconds));
    if wanted > longest {
        warnings.push(format!(
            "the container lives for {} s, the most that max_lifetime_seconds allows, and not for {} s",
            longest.as_secs(),
            wanted.as_secs()
        ));
    }
    let order = CreateOrder {
        labels: spec.labels.to_map(),
        env: spec.env,
        enable_internet: config.enable_internet,
        image: spec.image.or_else(|| config.image.clone()),
        instance: config.instance.clone(),
        ready_port: AGENT_PORT,
        ready_path: agcluster_core::protocol::paths::HEALTH,
        ready_timeout_ms: config.ready_seconds * 1000,
        idle_timeout_ms: config.inactivity_seconds * 1000,
        expires_at: later(wanted.min(longest)),
    };
    (order, warnings)
}

/// So long from now, or the end of time.
pub(super) fn later(duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    Timestamp::now().saturating_add(duration).unwrap_or(Timestamp::MAX)
}

/// A container is as large as its instance type, which is chosen for the deployment and not for a container.
fn unheld(asked: &Resources) -> Vec<String> {
    [
        (asked.cpu_millis, "processor time"),
        (asked.memory_bytes, "memory"),
        (asked.storage_bytes, "the size of the workspace"),
    ]
    .into_iter()
    .filter(|(asked, _)| asked.is_some())
    .map(|(_, what)| format!("{what} is that of the container's instance type and not what was asked for"))
    .chain(asked.pids.map(|_| "the number of processes has no limit of its own".to_owned()))
    .collect()
}

#[cfg(test)]
mod tests {
    use agcluster_core::provider::Labels;

    use super::*;

    fn spec() -> ContainerSpec {
        ContainerSpec::new(Labels {
            cluster: "c".to_owned(),
            session: "s".to_owned(),
            agent: "a".to_owned(),
            generation: 1,
            expires_at: None,
        })
    }

    fn left(order: &CreateOrder) -> i64 {
        order.expires_at.duration_since(Timestamp::now()).as_secs()
    }

    #[test]
    fn a_container_always_has_an_end() {
        let config = CloudflareConfig { max_lifetime_seconds: 100_000, ..CloudflareConfig::default() };
        let (usual, warnings) = order(&config, spec());
        assert!((86_390..=86_400).contains(&left(&usual)), "{usual:?}");
        assert!(warnings.is_empty());
        let (long, warnings) = order(&config, ContainerSpec { lifetime: Some(Duration::MAX), ..spec() });
        assert!((99_990..=100_000).contains(&left(&long)), "{long:?}");
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn what_is_not_held_is_said() {
        let asked = Resources { memory_bytes: Some(1), pids: Some(1), ..Resources::default() };
        let (_, warnings) = order(&CloudflareConfig::default(), ContainerSpec { resources: asked, ..spec() });
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with("memory is that of"), "{warnings:?}");
    }

    #[test]
    fn a_container_without_an_image_has_the_configured_one() {
        let config = CloudflareConfig { image: Some("agent".to_owned()), ..CloudflareConfig::default() };
        assert_eq!(order(&config, spec()).0.image.as_deref(), Some("agent"));
        let own = ContainerSpec { image: Some("data".to_owned()), ..spec() };
        assert_eq!(order(&config, own).0.image.as_deref(), Some("data"));
    }
}
