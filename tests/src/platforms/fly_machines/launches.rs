//! What a launch costs the platform, for tests and the bench.

use std::time::Duration;

use agcluster_core::provider::{ContainerProvider, ContainerSpec, DestroyOptions, Labels};
use anyhow::ensure;
use futures::future::try_join_all;
use serde_json::json;
use tokio::time::Instant;

use super::{FlyMachinesPlatform, Options};

/// What many launches came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launches {
    /// How many machines were made.
    pub launched: usize,
    /// How many requests that took.
    pub requests: usize,
    /// How many of them the platform refused because there were too many.
    pub refused: usize,
    /// How long it took.
    pub took: Duration,
}

fn spec(number: usize) -> ContainerSpec {
    ContainerSpec::new(Labels {
        cluster: "launches".to_owned(),
        session: format!("s{number}"),
        agent: "agent-launches".to_owned(),
        generation: 1,
        expires_at: None,
    })
}

/// How many requests to the platform a launch takes: from `create` to an endpoint.
///
/// # Errors
/// When the launch fails.
pub async fn requests_per_launch() -> anyhow::Result<usize> {
    let platform = FlyMachinesPlatform::start_with(Options { docker: false, clock: 1 }).await?;
    let provider = platform.provider()?;
    let container = provider.create(spec(0)).await?;
    provider.endpoint(&container.id).await?;
    let requests = platform.requests().len();
    provider.destroy(&container.id, DestroyOptions::default()).await?;
    platform.stop().await?;
    Ok(requests)
}

/// Launches so many sessions at once into one app, at the rates that the platform documents, and counts what it refuses. Nothing runs in
/// the machines. A hundred take a minute and a half, for the platform takes one a second.
///
/// # Errors
/// When a launch fails.
pub async fn launches_at_documented_rate(count: usize) -> anyhow::Result<Launches> {
    let platform = FlyMachinesPlatform::start_with(Options { docker: false, clock: 1 }).await?;
    let provider = platform.provider_with(&json!({ "rate": {}, "timeouts": { "change_seconds": 600 } }))?;
    let begun = Instant::now();
    let launches = (0..count).map(|number| launch(&*provider, number));
    let made = try_join_all(launches).await?;
    let took = begun.elapsed();
    let asked = platform.requests();
    let refused = asked.iter().filter(|request| request.status == 429).count();
    ensure!(platform.machines().len() == count, "there are {} machines", platform.machines().len());
    try_join_all(made.iter().map(|id| provider.destroy(id, DestroyOptions::default()))).await?;
    platform.stop().await?;
    Ok(Launches { launched: made.len(), requests: asked.len(), refused, took })
}

async fn launch(
    provider: &dyn ContainerProvider,
    number: usize,
) -> anyhow::Result<agcluster_core::provider::ContainerId> {
    let container = provider.create(spec(number)).await?;
    provider.endpoint(&container.id).await?;
    Ok(container.id)
}
