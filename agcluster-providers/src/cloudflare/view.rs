//! From what the gateway answers to a container.

use agcluster_core::provider::{Container, ContainerId, ContainerState, Labels};

use super::api::{Seen, SeenState};

/// A container; `None` when its labels are not ours.
pub(super) fn container(seen: &Seen, warnings: Vec<String>) -> Option<Container> {
    Some(Container {
        id: ContainerId(seen.id.clone()),
        state: state(seen),
        labels: Labels::from_map(|key| seen.labels.get(key).map(String::as_str))?,
        created_at: seen.created_at,
        expires_at: seen.expires_at,
        warnings,
    })
}

fn state(seen: &Seen) -> ContainerState {
    match seen.state {
        SeenState::Starting => ContainerState::Starting,
        // Asked to end, and not there yet.
        SeenState::Running | SeenState::Stopping => ContainerState::Running,
        SeenState::Stopped => {
            let exit = seen.exit.as_ref();
            ContainerState::Stopped {
                exit_code: exit.and_then(|exit| exit.code),
                reason: exit.and_then(|exit| exit.reason.clone()),
            }
        }
    }
}
