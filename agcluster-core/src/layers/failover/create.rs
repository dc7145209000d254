//! Finding a provider that makes the container.

use super::super::CIRCUIT_OPEN;
use super::placements::Placement;
use super::{Failover, error};
use crate::provider::{CapacityScope, Container, ContainerId, ContainerSpec, Error, ErrorKind, Result};

/// Why the next one is asked; `None` when it is not.
fn reason(error: &Error) -> Option<&'static str> {
    match error.kind() {
        _ if error.code() == Some(CIRCUIT_OPEN) => Some("did not answer the last calls"),
        ErrorKind::Capacity(_) => Some("has no room"),
        ErrorKind::Quota => Some("has reached the account's limit"),
        ErrorKind::Unavailable => Some("does not answer"),
        ErrorKind::Timeout => Some("took too long"),
        _ => None,
    }
}

/// Whether the container may be there although the answer was an error. Only a call that was not made leaves no doubt: "no room" may be the
/// answer to a second attempt, after the first one's was lost.
fn is_doubtful(error: &Error) -> bool {
    error.code() != Some(CIRCUIT_OPEN)
}

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
            let Some(reason) = reason(&failed) else {
                // Remembered all the same: a repeated call begins here, where an earlier one may have made it.
                return Err(failed);
            };
            ::tracing::warn!(member = member.name, error = %failed, "the next provider is asked");
            placement.warnings.push(format!("{} {reason} ({})", member.name, failed.message()));
            if (known == Some(index) || is_doubtful(&failed))
                && let Err(unclear) = member.clear(&spec.labels).await
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
        Err(self.nowhere(errors))
    }

    /// The error of all members.
    fn nowhere(&self, errors: Vec<Error>) -> Error {
        let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let has_room = |error: &Error| !matches!(error.kind(), ErrorKind::Capacity(_) | ErrorKind::Quota);
        let kind = if errors.iter().any(has_room) {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Capacity(CapacityScope::Platform)
        };
        let message = format!("no provider of the list could make the container: {}", said.join("; "));
        let failed = error(kind, "create", message).retryable(errors.iter().any(Error::is_retryable));
        match errors.iter().filter_map(Error::retry_after).min() {
            Some(wait) => failed.with_retry_after(wait),
            None => failed,
        }
    }

    /// A container is gone: so shall be what a member that did not answer then may have of it.
    pub(super) async fn forget(&self, id: &ContainerId) {
        let Some(placement) = self.placements.take(id) else { return };
        for index in placement.doubtful {
            let member = &self.members[index];
            if let Err(error) = member.clear(&placement.labels).await {
                // Its labels say whose it is: it is found by `list`, and removed at the next start at the latest.
                ::tracing::warn!(member = member.name, %error, "a container may be left there");
            }
        }
    }
}
