//! What stands between a launch and a platform: the layers around each call, and the requests that a launch takes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use agcluster_core::provider::{ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Labels};
use agcluster_providers::memory::MemoryProvider;
use agcluster_server::{LayerSettings, around};
use agcluster_tests::ground::{Ground, Provider};
use agcluster_tests::platforms::fly_machines::{launches_at_documented_rate, requests_per_launch};
use anyhow::{Context, Result, anyhow, ensure};
use tokio_util::sync::CancellationToken;

use super::figure::{Figure, Unit};
use super::options::Options;
use super::progress;
use super::samples::Samples;

/// What the layers may add to a call, in seconds.
const LAYERS_TARGET: f64 = 20e-6;
/// One sample is so many calls.
const CALLS: u32 = 1000;
/// Launches at once into one app of Fly.
const LAUNCHES: usize = 100;

/// Measures, until `stop` says so.
///
/// # Errors
/// Whatever keeps a figure from being measured, or that something was left behind.
pub(crate) async fn measure(options: &Options, stop: &CancellationToken) -> Result<Vec<Figure>> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(anyhow!("interrupted")),
        figures = Box::pin(figures(options.runs)) => figures,
    }
}

async fn figures(runs: usize) -> Result<Vec<Figure>> {
    progress("the layers around a call");
    let mut figures = vec![layers(runs).await?];
    progress("requests of a launch");
    let count =
        |name: String, many: usize| Figure::new(name, Unit::Count, [many as f64].into_iter().collect());
    figures.push(count("requests of a launch: fly_machines".to_owned(), requests_per_launch().await?));
    for provider in [Provider::Docker, Provider::Vercel, Provider::Cloudflare] {
        let many = Box::pin(requests(provider)).await?;
        figures.push(count(format!("requests of a launch: {}", provider.name()), many));
    }
    progress("a hundred launches at Fly's own rate");
    let launches = Box::pin(launches_at_documented_rate(LAUNCHES)).await?;
    ensure!(launches.launched == LAUNCHES, "{} of {LAUNCHES} were launched", launches.launched);
    figures.push(count(format!("429 in {LAUNCHES} launches at Fly's rate"), launches.refused).at_most(0.0));
    let took = [launches.took.as_secs_f64()].into_iter().collect();
    figures.push(Figure::new(format!("{LAUNCHES} launches at Fly's rate"), Unit::Milliseconds, took));
    Ok(figures)
}

fn spec() -> ContainerSpec {
    let mut spec = ContainerSpec::new(Labels {
        cluster: "bench".to_owned(),
        session: format!("s-{}", uuid::Uuid::new_v4().simple()),
        agent: "agent-bench".to_owned(),
        generation: 1,
        expires_at: None,
    });
    spec.env.insert(agcluster_core::protocol::TOKEN_DIGEST_ENV.to_owned(), "ab".repeat(32));
    spec
}

/// A call through the server's layers, and the same without them, in turns.
async fn layers(runs: usize) -> Result<Figure> {
    let memory = MemoryProvider::default();
    let bare: Arc<dyn ContainerProvider> = Arc::new(memory.clone());
    let layered = around(Arc::clone(&bare), &LayerSettings::default());
    let id = bare.create(spec()).await?.id;
    let (mut with, mut without) = (Samples::default(), Samples::default());
    // The first ones fill caches.
    timed(&*bare, &id, &mut Samples::default()).await?;
    timed(&*layered, &id, &mut Samples::default()).await?;
    for _ in 0..runs {
        timed(&*bare, &id, &mut without).await?;
        timed(&*layered, &id, &mut with).await?;
    }
    bare.destroy(&id, DestroyOptions::default()).await?;
    let figure = Figure::new("a call through the server's layers", Unit::Microseconds, with);
    Ok(figure.over("the same without layers", &without).at_most(LAYERS_TARGET))
}

async fn timed(provider: &dyn ContainerProvider, id: &ContainerId, samples: &mut Samples) -> Result<()> {
    let begun = Instant::now();
    for _ in 0..CALLS {
        black_box(provider.inspect(id).await?);
    }
    samples.push_time(begun.elapsed() / CALLS);
    Ok(())
}

/// How many requests it takes from `create` to an endpoint. The agent server's own health is not counted, nor what is asked once
/// when a provider is made.
async fn requests(provider: Provider) -> Result<usize> {
    let ground = Ground::prepare_counted(provider).await?;
    let made = ground.make().await?;
    let sent = || ground.requests().context("requests are counted");
    let before = sent()?;
    let container = made.create(spec()).await?;
    made.endpoint(&container.id).await?;
    let many = sent()? - before;
    made.destroy(&container.id, DestroyOptions::default()).await?;
    ground.end("bench").await?;
    Ok(many)
}
