//! A container that begins with another one's files.
//!
//! Vercel's own fork begins with the snapshot that its source had last, or without its files when it has none, and copies the source's tags,
//! environment and settings. A container of ours begins with the files of now and has tags and a token of its own. So its source is saved,
//! which stops it, and the new one is made of that snapshot.

use agcluster_core::provider::{Container, ContainerId, ContainerSpec, ErrorKind, Result};

use super::api::Failure;
use super::create::Creation;
use super::error::{About, plain};
use super::shared::Shared;

const FORK: &str = "fork";
/// The snapshot of a source that will not start again has served when the fork is made; a day outlasts every repeated call.
const PASSING_MS: u64 = 24 * 3600 * 1000;

impl Shared {
    pub(super) async fn fork(&self, source: &ContainerId, spec: &ContainerSpec) -> Result<Container> {
        let creation = Creation { shared: self, spec, operation: FORK, snapshot: None };
        // A source that was started again meanwhile must not be stopped for a container that is there.
        if let Some(there) = creation.existing().await? {
            return Ok(there);
        }
        let seen = self.seen(source, FORK).await?;
        let expiration = if self.config.persistent { self.snapshot_expiration_ms() } else { PASSING_MS };
        let explain = |failure: Failure| self.explain(failure, FORK, About::Container(&source.0));
        let saved = self.saved(&seen, expiration).await.map_err(explain)?;
        let lost =
            || plain(ErrorKind::Gone, FORK, "the container ended without being saved: its files are lost");
        let snapshot = saved.ok_or_else(lost)?;
        Creation { snapshot: Some(&snapshot), ..creation }.run().await
    }
}
