//! How soon a server that was ended serves again, and has found all its sessions.

use std::time::{Duration, Instant};

use agcluster_tests::system::{Installation, Plan, Provider};
use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::bare_agents;
use super::figure::{Figure, Unit};
use super::inside::World;
use super::limits::{STEP, allow_open_files, soon};
use super::options::Options;
use super::progress;
use super::samples::Samples;

const KEY: &str = "bench-key-0f6c2d";
/// Sessions on Docker.
const ON_DOCKER: usize = 50;
/// Launches on Docker at a time, and streams that are opened at a time.
const LAUNCHES: usize = 4;
const STREAMS: usize = 32;
/// Files besides the streams'.
const OTHER_FILES: usize = 512;

/// Targets, in seconds.
const SERVING: f64 = 0.3;
const ADOPTED: f64 = 2.0;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let mut figures = in_memory(options).await?;
    figures.extend(on_docker(options).await?);
    Ok(figures)
}

async fn in_memory(options: &Options) -> Result<Vec<Figure>> {
    let many = options.restart_sessions;
    allow_open_files((many + OTHER_FILES) as u64)?;
    progress(&format!("restart: with no sessions, and {many} agent servers without a server"));
    let (empty, bare) = (World::new()?, World::new()?);
    let agents = bare_agents::start(&bare.provider, many).await?;
    let (mut serving_floor, mut adopted_floor) = (Samples::default(), Samples::default());
    for _ in 0..options.runs {
        let begun = Instant::now();
        let running = empty.start().await?;
        serving_floor.push_time(begun.elapsed());
        running.end().await?;
        let begun = Instant::now();
        let opened = futures::stream::iter(&agents)
            .map(|agent| async { anyhow::Ok(agent.client.events(agent.last_seq).await?) })
            .buffer_unordered(STREAMS)
            .try_collect::<Vec<_>>();
        let opened = soon("many streams", STEP, opened).await?;
        adopted_floor.push_time(begun.elapsed());
        drop(opened);
    }
    drop(agents);

    progress(&format!("restart: launching {many} sessions"));
    let world = World::new()?;
    let mut running = world.start().await?;
    for session in running.launch(many).await? {
        let mut turn = session.chat(vec![agcluster_core::protocol::PromptBlock::text("hello")]).await?;
        soon("a turn", STEP, async {
            while let Some(record) = turn.next().await {
                record?;
            }
            Ok(())
        })
        .await?;
    }
    let (mut serving, mut adopted) = (Samples::default(), Samples::default());
    for nth in 1..=options.runs {
        progress(&format!("restart {nth} of {}", options.runs));
        running.end().await?;
        let begun = Instant::now();
        running = world.start().await?;
        serving.push_time(begun.elapsed());
        running.adopt().await?;
        adopted.push_time(begun.elapsed());
        ensure!(running.sessions.list().len() == many, "sessions were lost");
        let attached = running.sessions.list().iter().filter(|session| session.info().attached).count();
        ensure!(attached == many, "only {attached} of {many} sessions are attached");
    }
    running.sessions.shutdown().await;
    running.end().await?;
    Ok(vec![
        Figure::new(format!("restart with {many} sessions: serving"), Unit::Milliseconds, serving)
            .over("a start with none", &serving_floor)
            .judged_by_median()
            .at_most(SERVING),
        Figure::new(format!("restart with {many} sessions: all adopted"), Unit::Milliseconds, adopted)
            .over("opening their event streams alone", &adopted_floor)
            .judged_by_median()
            .at_most(ADOPTED),
    ])
}

/// The server as a program, killed.
async fn on_docker(options: &Options) -> Result<Vec<Figure>> {
    let plan = Plan { program: options.server.clone(), ..Plan::on(Provider::Docker) };
    let (mut empty, mut serving, mut adopted) = (Samples::default(), Samples::default(), Samples::default());
    let measured = Installation::with(plan, async |installation| {
        for _ in 0..options.runs {
            empty.push_time(again(installation).await?.1);
        }
        progress(&format!("restart: launching {ON_DOCKER} sessions on Docker"));
        let api = installation.api(KEY);
        futures::stream::iter(0..ON_DOCKER)
            .map(|_| soon("a launch", STEP, api.launch(json!({ "driver": "scripted" }))))
            .buffer_unordered(LAUNCHES)
            .try_collect::<Vec<_>>()
            .await?;
        for nth in 1..=options.runs {
            progress(&format!("restart {nth} of {} on Docker", options.runs));
            let (served, all) = again(installation).await?;
            serving.push_time(served);
            adopted.push_time(all);
        }
        Ok(())
    });
    Box::pin(measured).await?;
    let floor = "the same with no sessions";
    Ok(vec![
        Figure::new(
            format!("restart with {ON_DOCKER} sessions on Docker: serving"),
            Unit::Milliseconds,
            serving,
        )
        .over(floor, &empty)
        .judged_by_median()
        .at_most(SERVING),
        Figure::new(
            format!("restart with {ON_DOCKER} sessions on Docker: all adopted"),
            Unit::Milliseconds,
            adopted,
        )
        .over(floor, &empty)
        .judged_by_median()
        .at_most(ADOPTED),
    ])
}

/// Kills the server and starts it again: how long it took to serve, and until all was adopted.
async fn again(installation: &mut Installation) -> Result<(Duration, Duration)> {
    installation.kill().await?;
    let begun = Instant::now();
    let served = installation.start().await?;
    installation.adopted().await?;
    Ok((served, begun.elapsed()))
}
