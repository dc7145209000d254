//! Finding a provider that makes the container.

use super::Failover;
use super::placements::Placement;
use super::policy::{clear, is_doubtful, nowhere, passed_over, reason};
use crate::provider::{Container, ContainerId, ContainerSpec, Result};

impl Failover {
    /// Asks one after the other.
    pub(super) async fn place(&self, spec: ContainerSpec) -> Result<Container> {
        let name = spec.labels.container_name();
        let before = self.placements.get(&name);
        let known = before.as_ref().map(|placement| placement.member);
        let others = (0..self.members.len()).filter(|index| Some(*index) != known);
        let mut placement = before.unwrap_or_else(|| Placement {
            member: 0,
            labels: spec.labels.clone(),
            id: None,
            doubtful: Vec::new(),
            warnings: Vec::new(),
        });
        let mut errors = Vec::new();
        for index in known.into_iter().chain(others) {
            let member = &self.members[index];
            placement.member = index;
            placement.doubtful.retain(|doubtful| *doubtful != index);
            // Before the call: a caller that goes away and comes back shall be led to the same place.
            self.placements.put(&name, placement.clone());
            let failed = match member.provider.create(spec.clone()).await {
                Ok(container) => {
                    let mut container = member.sign(container);
                    container.warnings.extend(
                        placement
                            .warnings
                            .iter()
                            .map(|why| format!("it runs on {}, because {why}", member.name)),
                    );
                    placement.id = Some(container.id.clone());
                    self.placements.put(&name, placement);
                    return Ok(container);
                }
                Err(failed) => failed,
            };
            if reason(&failed).is_none() {
                // Remembered all the same: a repeated call begins here, where an earlier one may have made it.
                return Err(failed);
            }
            ::tracing::warn!(member = member.name, error = %failed, "the next provider is asked");
            placement.warnings.push(passed_over(&member.name, &failed));
            if (known == Some(index) || is_doubtful(&failed))
                && let Err(unclear) = clear(&*member.provider, &spec.labels).await
            {
                ::tracing::warn!(member = member.name, error = %unclear, "a container may be left there");
                placement.doubtful.push(index);
            }
            errors.push(failed);
        }
        if placement.doubtful.is_empty() {
            self.placements.remove(&name);
        } else {
            placement.warnings.clear();
            placement.member = placement.doubtful[0];
            self.placements.put(&name, placement);
        }
        Err(nowhere(&errors))
    }

    /// A container is gone: so shall be what a member that did not answer then may have of it.
    pub(super) async fn forget(&self, id: &ContainerId) {
        let Some(placement) = self.placements.take(id) else { return };
        for index in placement.doubtful {
            let member = &self.members[index];
            if let Err(error) = clear(&*member.provider, &placement.labels).await {
                // Its labels say whose it is: it is found by `list`, and removed at the next start at the latest.
                ::tracing::warn!(member = member.name, %error, "a container may be left there");
            }
        }
    }
}
