//! Launches, first answers, later turns and removals, with real Claude Code in Docker. A bare container, a session and the
//! program alone take turns, in another order each time.

use std::time::{Duration, Instant};

use agcluster_core::provider::LABEL_SESSION;
use agcluster_tests::system::{Api, Session};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::bare::{self, Bare};
use super::figure::{Figure, Unit};
use super::limits::{STEP, soon};
use super::program::{Program, Recipe};
use super::progress;
use super::samples::Samples;
use super::stage::Stage;

/// A model answers piece by piece; the first one then has the machine to itself.
const PROMPT: &str = "@@slow 0.2 5 This is the answer of a scripted model.";

/// Turns of each after the first.
const LATER_TURNS: usize = 5;

/// What a launch may cost over the engine's own work, in seconds.
const LAUNCH_TARGET: f64 = 0.060;
/// What a turn's first text may cost over the program's own work, in seconds.
const TURN_TARGET: f64 = 0.005;

/// All samples of this part.
#[derive(Default)]
struct Times {
    bare: Samples,
    created: Samples,
    healthy: Samples,
    ready: Samples,
    first: Samples,
    later: Samples,
    deleted: Samples,
    alone_ready: Samples,
    alone_first: Samples,
    alone_later: Samples,
    bare_removed: Samples,
}

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let api = stage.api();
    // The first launch of a server makes its network and its connection to the engine. It also shows how the program is run.
    let mut unused = Times::default();
    let session = launch(&api, &mut unused).await?;
    let recipe =
        Recipe::of_session(stage.provider.as_ref(), &stage.engine, &session.id, &stage.model).await?;
    delete(stage, session).await?;
    Box::pin(run(stage, &api, &recipe, 0, &mut unused)).await?;

    let mut times = Times::default();
    for nth in 1..=stage.options.runs {
        progress(&format!("launch {nth} of {}", stage.options.runs));
        Box::pin(run(stage, &api, &recipe, nth, &mut times)).await?;
    }
    Ok(times.figures())
}

/// One of each.
async fn run(stage: &Stage, api: &Api, recipe: &Recipe, nth: usize, times: &mut Times) -> Result<()> {
    let engine = &stage.engine;
    let pipes = tempfile::Builder::new().prefix("pipes-").tempdir_in(stage.folder.path())?;
    std::fs::set_permissions(pipes.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let (mut bare, mut session, mut program) = (None, None, None);
    for step in 0..3 {
        match (nth + step) % 3 {
            0 => {
                let body = bare::idle(&stage.options.image, &stage.cluster);
                let started = Bare::start(engine, &stage.cluster, body).await?;
                times.bare.push_time(started.took);
                bare = Some(started);
            }
            1 => session = Some(launch(api, times).await?),
            _ => {
                let begun = Instant::now();
                let mut started =
                    Program::start(engine, &stage.options.image, &stage.cluster, recipe, pipes.path())
                        .await?;
                times.alone_ready.push_time(started.ready);
                let before = begun.elapsed();
                times.alone_first.push_time(before + started.turn(PROMPT).await?);
                program = Some(started);
            }
        }
    }
    let missing = "every kind was started";
    let (bare, session) = (bare.context(missing)?, session.context(missing)?);
    let mut program = program.context(missing)?;
    for step in 0..2 * LATER_TURNS {
        if (nth + step).is_multiple_of(2) {
            times.later.push_time(turn(&session).await?);
        } else {
            times.alone_later.push_time(program.turn(PROMPT).await?);
        }
    }
    program.remove(engine).await?;
    let mut kept = (Some(bare), Some(session));
    for step in 0..2 {
        if (nth + step).is_multiple_of(2) {
            if let Some(bare) = kept.0.take() {
                times.bare_removed.push_time(bare.remove(engine).await?);
            }
        } else if let Some(session) = kept.1.take() {
            times.deleted.push_time(delete(stage, session).await?);
        }
    }
    Ok(())
}

/// Launches a session and has it answer once.
async fn launch(api: &Api, times: &mut Times) -> Result<Session> {
    let config = json!({ "allowed_tools": ["Bash", "Read", "Write"], "permission_mode": "acceptEdits", "model": "claude-sonnet-4-5" });
    let begun = Instant::now();
    let session = soon("a launch", STEP, api.launch(config)).await?;
    let answered = begun.elapsed();
    let timings = &session.launched["timings"];
    let ready = micros(&timings["ready_us"])?;
    // What of the request is in none of the server's own times is counted with all of them.
    let around = answered.saturating_sub(ready);
    times.created.push_time(around + micros(&timings["created_us"])?);
    times.healthy.push_time(around + micros(&timings["healthy_us"])?);
    times.ready.push_time(answered);
    times.first.push_time(begun.elapsed() + turn(&session).await?);
    Ok(session)
}

fn micros(value: &Value) -> Result<Duration> {
    value.as_u64().map(Duration::from_micros).context("a launch tells its timings in microseconds")
}

/// Runs a turn to its end and gives how long its first text took.
async fn turn(session: &Session) -> Result<Duration> {
    soon("a turn", STEP, async {
        let begun = Instant::now();
        let mut chat = session.chat(PROMPT).await?;
        chat.until("content_delta").await?;
        let first = begun.elapsed();
        chat.rest().await?;
        Ok(first)
    })
    .await
}

/// Removes a session, and sees that nothing of it is left.
async fn delete(stage: &Stage, session: Session) -> Result<Duration> {
    let begun = Instant::now();
    let answer = soon("a removal", STEP, session.delete()).await?;
    let took = begun.elapsed();
    ensure!(answer.status.is_success(), "a removal was answered {}: {}", answer.status, answer.body);
    let label = format!("{LABEL_SESSION}={}", session.id);
    let left =
        bare::labelled(&stage.engine, &label).await?.len() + bare::volumes(&stage.engine, &label).await?;
    ensure!(left == 0, "a removal was answered while {left} containers and volumes were left");
    Ok(took)
}

impl Times {
    fn figures(self) -> Vec<Figure> {
        let milliseconds = |name: &str, samples| Figure::new(name, Unit::Milliseconds, samples);
        let bare = "bare container: create and start";
        let alone = "Claude alone in a container";
        vec![
            milliseconds("launch → container runs", self.created).over(bare, &self.bare),
            milliseconds("launch → agent server healthy", self.healthy)
                .over(bare, &self.bare)
                .at_most(LAUNCH_TARGET),
            milliseconds("launch → Claude ready", self.ready).over(alone, &self.alone_ready),
            milliseconds("launch → first text", self.first).over(alone, &self.alone_first),
            milliseconds("second and later turns → first text", self.later)
                .over(alone, &self.alone_later)
                .at_most(TURN_TARGET),
            milliseconds("DELETE → container and volume gone", self.deleted)
                .over("bare container: forced removal", &self.bare_removed),
        ]
    }
}
