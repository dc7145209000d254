//! The server's resident memory: idle, with many sessions, with many open streams.

use std::process::Stdio;
use std::time::Duration;

use agcluster_tests::system::{Api, Chat, Session};
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use rustix::process::Pid;
use serde_json::json;

use super::figure::{Figure, Unit};
use super::limits::{STEP, allow_open_files, resident, soon};
use super::progress;
use super::samples::Samples;
use super::stage::Stage;

/// Things done at a time.
const AT_ONCE: usize = 4;
/// Looks at the memory are spread over so long: longer than the server keeps a connection to an agent server that it does
/// not use, since sessions that are idle have none.
const LOOKS_OVER: Duration = Duration::from_secs(12);
/// Files besides the streams'.
const OTHER_FILES: usize = 512;

const MEBIBYTE: f64 = (1 << 20) as f64;
const KIBIBYTE: f64 = 1024.0;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let (many_sessions, many_streams) = (stage.options.sessions, stage.options.streams);
    allow_open_files((many_streams + many_sessions + OTHER_FILES) as u64)?;
    let nothing = floor(stage).await?;
    progress("memory: idle");
    let idle = looks(stage).await?;

    // What the first session brings into memory once is no session's own.
    let api = stage.api();
    let first = launch(&api).await?;
    soon("a removal", STEP, first.delete()).await?;
    let used = looks(stage).await?;

    progress(&format!("memory: {many_sessions} sessions"));
    let sessions: Vec<Session> = futures::stream::iter(0..many_sessions)
        .map(|_| launch(&api))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let with_sessions = looks(stage).await?;

    progress(&format!("memory: {many_streams} streams"));
    let streams = open(&sessions, many_streams).await?;
    let with_streams = looks(stage).await?;
    drop(streams);

    progress("memory: removing");
    futures::stream::iter(&sessions)
        .map(|session| soon("a removal", STEP, session.delete()))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    let mebibytes = |name: String, samples| Figure::new(name, Unit::Mebibytes, samples);
    Ok(vec![
        mebibytes("RSS, idle server".to_owned(), idle)
            .over("a program that sleeps", &nothing)
            .judged_by_median()
            .at_most(30.0 * MEBIBYTE),
        mebibytes(format!("RSS with {many_sessions} idle sessions, for each"), with_sessions.clone())
            .over("the same server without", &used)
            .each_of(many_sessions, Unit::Kibibytes)
            .at_most(64.0 * KIBIBYTE),
        mebibytes(format!("RSS with {many_streams} open streams, for each"), with_streams)
            .over("the same server without", &with_sessions)
            .each_of(many_streams, Unit::Kibibytes)
            .at_most(64.0 * KIBIBYTE),
    ])
}

/// A session that has done something and is idle now.
async fn launch(api: &Api) -> Result<Session> {
    let session = soon("a launch", STEP, api.launch(json!({ "driver": "scripted" }))).await?;
    soon("a turn", STEP, async { session.chat("hello").await?.rest().await }).await?;
    Ok(session)
}

/// Opens streams, shared out among the sessions. Each has carried the events of a turn when this answers.
async fn open(sessions: &[Session], many: usize) -> Result<Vec<Chat>> {
    let mut streams: Vec<Chat> = futures::stream::iter(sessions.iter().cycle().take(many))
        .map(|session| soon("a stream", STEP, session.events(0)))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    for session in sessions {
        soon("a turn", STEP, async { session.chat("hello again").await?.rest().await }).await?;
    }
    for stream in &mut streams {
        // The turn of the launch, and the one just now.
        for _ in 0..2 {
            soon("the events of a turn", STEP, stream.until("turn_ended")).await?;
        }
    }
    Ok(streams)
}

/// Looks at the server's memory again and again.
async fn looks(stage: &Stage) -> Result<Samples> {
    samples(stage.options.runs, LOOKS_OVER, || stage.server.resident()).await
}

async fn samples(many: usize, over: Duration, mut look: impl FnMut() -> Result<f64>) -> Result<Samples> {
    let mut ticks = tokio::time::interval(over / u32::try_from(many)?);
    let mut samples = Samples::default();
    // The first tick comes at once, before anything has come to rest.
    ticks.tick().await;
    for _ in 0..many {
        ticks.tick().await;
        samples.push(look()?);
    }
    Ok(samples)
}

/// The memory of a program that does nothing.
async fn floor(stage: &Stage) -> Result<Samples> {
    let mut sleep = tokio::process::Command::new("sleep");
    sleep.arg("infinity").stdin(Stdio::null()).kill_on_drop(true);
    let mut sleep = sleep.spawn().context("cannot start sleep")?;
    let pid = sleep.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).context("sleep ended")?;
    let samples = samples(stage.options.runs, Duration::from_secs(1), || resident(pid)).await;
    sleep.kill().await?;
    samples
}
