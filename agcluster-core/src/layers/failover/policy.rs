//! When the next provider is asked, and what becomes of the one before.

use super::super::CIRCUIT_OPEN;
use super::PLATFORM;
use crate::provider::{
    CapacityScope, ContainerProvider, DestroyOptions, Error, ErrorKind, Labels, ListFilter, Result,
};

/// No generation before it has left a workspace.
const FIRST_GENERATION: u32 = 1;

/// Why the next one is asked; `None` when it is not.
pub(crate) fn reason(error: &Error) -> Option<&'static str> {
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
pub(crate) fn is_doubtful(error: &Error) -> bool {
    error.code() != Some(CIRCUIT_OPEN)
}

/// Why this provider was passed over, for whoever asked for it: `near has no room (details)`.
pub(crate) fn passed_over(name: &str, error: &Error) -> String {
    format!("{name} {} ({})", reason(error).unwrap_or("could not"), error.message())
}

/// Removes the container of this session and generation, if there is one, and what a first generation left besides. The workspace
/// of an earlier generation stays.
pub(crate) async fn clear(provider: &dyn ContainerProvider, labels: &Labels) -> Result<()> {
    let is_first = labels.generation <= FIRST_GENERATION;
    let filter = ListFilter { cluster: Some(labels.cluster.clone()), session: Some(labels.session.clone()) };
    for found in provider.list(filter).await? {
        if found.labels.generation == labels.generation {
            let options = DestroyOptions { keep_workspace: !is_first };
            provider.destroy(&found.id, options).await?;
        }
    }
    Ok(())
}

/// The error of all of them.
pub(crate) fn nowhere(errors: &[Error]) -> Error {
    let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
    let has_room = |error: &Error| !matches!(error.kind(), ErrorKind::Capacity(_) | ErrorKind::Quota);
    let kind = if errors.iter().any(has_room) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Capacity(CapacityScope::Platform)
    };
    let message = format!("no provider of the list could make the container: {}", said.join("; "));
    let failed =
        Error::new(kind, PLATFORM, "create", message).retryable(errors.iter().any(Error::is_retryable));
    match errors.iter().filter_map(Error::retry_after).min() {
        Some(wait) => failed.with_retry_after(wait),
        None => failed,
    }
}
