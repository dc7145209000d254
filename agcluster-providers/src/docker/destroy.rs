//! Removing a container and what belongs to it, until it is gone.

use std::time::Duration;

use super::api::{Api, Failure};
use crate::name::Name;

/// Removes what an id stands for; what is gone already is success.
pub(super) async fn destroy(
    api: &Api,
    name: Name<'_>,
    keep_workspace: bool,
    limit: Duration,
) -> Result<(), Failure> {
    if let Name::Container(container) = name {
        match api.remove(container).await {
            Err(failure) if failure.is_not_found() => {}
            // Somebody else removes it at this moment.
            Err(failure) if failure.says(409, "already in progress") => {
                api.wait_until_removed(container, limit).await?;
            }
            done => done?,
        }
    }
    if keep_workspace {
        return Ok(());
    }
    let volume = name.workspace();
    match api.remove_volume(&volume).await {
        Err(failure) if failure.is_not_found() => Ok(()),
        // The session's next generation has it: then it is not ours to remove.
        Err(failure) if failure.status() == 409 && api.is_volume_used(&volume).await? => Ok(()),
        // It was released between the two calls.
        Err(failure) if failure.status() == 409 => match api.remove_volume(&volume).await {
            Err(failure) if failure.is_not_found() => Ok(()),
            done => done,
        },
        done => done,
    }
}
