//! The memory of very many idle sessions. Each state is looked at in a process of its own, so that nothing of another one
//! counts.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::getpid;
use tokio::process::Command;

use super::bare_agents;
use super::figure::{Figure, Unit};
use super::inside::World;
use super::limits::{STEP, allow_open_files, resident, soon};
use super::options::{Options, State};
use super::progress;
use super::samples::Samples;

/// Looks at the memory are spread over so long.
const LOOKS_OVER: Duration = Duration::from_secs(12);
const OTHER_FILES: usize = 512;
/// What all sessions may take, in bytes.
const TARGET: f64 = 400.0 * (1 << 20) as f64;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let many = options.idle_sessions;
    progress(&format!("idle: {many} agent servers"));
    let floor = in_a_process(options, State::Agents).await?;
    progress(&format!("idle: {many} sessions"));
    let sessions = in_a_process(options, State::Sessions).await?;
    Ok(vec![
        Figure::new(format!("RSS with {many} idle sessions"), Unit::Mebibytes, sessions)
            .over("their agent servers alone, in the same process and listened to", &floor)
            .at_most(TARGET),
    ])
}

async fn in_a_process(options: &Options, state: State) -> Result<Samples> {
    let child = Command::new(std::env::current_exe()?)
        .args(["--look-at", state.name(), "--idle-sessions", &options.idle_sessions.to_string()])
        .args(["--runs", &options.runs.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output();
    let output = soon("a look at the memory", STEP * 10, async { Ok(child.await?) }).await?;
    ensure!(output.status.success(), "a look at the memory failed");
    let values: Vec<f64> = serde_json::from_slice(&output.stdout).context("no values")?;
    Ok(values.into_iter().collect())
}

/// What such a process does: makes the state, and looks at its own memory.
///
/// # Errors
/// Whatever keeps the state from being made.
pub(crate) async fn look_at(options: &Options, state: State) -> Result<Vec<f64>> {
    let many = options.idle_sessions;
    allow_open_files((many + OTHER_FILES) as u64)?;
    let world = World::new()?;
    match state {
        State::Agents => {
            let agents = bare_agents::start(&world.provider, many).await?;
            let mut streams = Vec::new();
            for agent in &agents {
                streams.push(soon("a stream", STEP, agent.listen()).await?);
            }
            let looks = looks(options.runs).await;
            drop((streams, agents));
            looks
        }
        State::Sessions => {
            let running = world.start().await?;
            let sessions = running.launch(many).await?;
            drop(sessions);
            let looks = looks(options.runs).await;
            ensure!(running.sessions.list().len() == many, "sessions were lost");
            looks
        }
    }
}

async fn looks(many: usize) -> Result<Vec<f64>> {
    let mut ticks = tokio::time::interval(LOOKS_OVER / u32::try_from(many)?);
    ticks.tick().await;
    let mut values = Vec::new();
    for _ in 0..many {
        ticks.tick().await;
        values.push(resident(getpid())?);
    }
    Ok(values)
}
