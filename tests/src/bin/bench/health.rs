//! How soon `/health` is answered while launches and removals run, beside the same server at rest.

use std::pin::pin;
use std::time::{Duration, Instant};

use agcluster_tests::system::Api;
use anyhow::{Result, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use super::figure::{Figure, Unit};
use super::limits::{STEP, soon};
use super::progress;
use super::samples::Samples;
use super::stage::Stage;

/// The pace of questions.
const EVERY: Duration = Duration::from_millis(5);
/// How long the server rests between two rounds of launches.
const REST: Duration = Duration::from_secs(1);
/// Launches that run at a time.
const AT_ONCE: usize = 2;

/// What the 99th percentile may be, in seconds.
const TARGET: f64 = 0.010;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let api = stage.api();
    let (mut busy, mut rest) = (Samples::default(), Samples::default());
    // The first launch of a server makes its connection to the engine.
    launch_and_delete(api.clone()).await?;
    let rounds = stage.options.runs.div_ceil(AT_ONCE);
    for nth in 1..=rounds {
        progress(&format!("health {nth} of {rounds}"));
        let resting = async {
            tokio::time::sleep(REST).await;
            Ok(())
        };
        ask_while(&api, resting, &mut rest).await?;
        // Tasks of their own: asking must not hold them up.
        let mut launches: JoinSet<_> = (0..AT_ONCE).map(|_| launch_and_delete(api.clone())).collect();
        let launching = async {
            while let Some(launched) = launches.join_next().await {
                launched??;
            }
            Ok(())
        };
        ask_while(&api, launching, &mut busy).await?;
    }
    let name = format!("`/health` while launches and DELETEs run, {AT_ONCE} at a time");
    Ok(vec![
        Figure::new(name, Unit::Milliseconds, busy)
            .over("the same server at rest", &rest)
            .judged_by_p99()
            .at_most(TARGET),
    ])
}

/// Asks at a fixed pace until `other` is done. A question that comes late because the one before took long counts from
/// when it was due.
async fn ask_while(api: &Api, other: impl Future<Output = Result<()>>, samples: &mut Samples) -> Result<()> {
    let mut other = pin!(other);
    let mut ticks = tokio::time::interval(EVERY);
    let mut answered = Instant::now();
    loop {
        let due = tokio::select! {
            biased;
            done = &mut other => return done,
            due = ticks.tick() => due.into_std(),
        };
        let begun = if due < answered { due } else { Instant::now() };
        let answer = soon("/health", STEP, api.get("/health")).await?;
        answered = Instant::now();
        ensure!(answer.status.is_success(), "/health was answered {}", answer.status);
        samples.push_time(answered.duration_since(begun));
    }
}

/// A launch of real Claude Code, which keeps the machine busy, and a removal.
async fn launch_and_delete(api: Api) -> Result<()> {
    let config = json!({ "allowed_tools": ["Bash"], "permission_mode": "acceptEdits" });
    let session = soon("a launch", STEP, api.launch(config)).await?;
    let answer = soon("a removal", STEP, session.delete()).await?;
    ensure!(answer.status.is_success(), "a removal was answered {}", answer.status);
    Ok(())
}
