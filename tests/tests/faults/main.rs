//! What befalls a running system from outside: each time nothing is lost, and what is said is so.

mod agents;
mod network;
mod stores;

use std::time::Duration;

use agcluster_tests::system::{Api, Chat, Installation, Session};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// The key of the launches.
const KEY: &str = "faults-key-5e21";
/// One step takes seconds; one that takes so long hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Waits for something, but not for ever.
async fn soon<T>(what: &str, doing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(LIMIT, doing).await.with_context(|| format!("{what} took too long"))?
}

/// A session with the scripted agent.
async fn scripted(installation: &Installation) -> anyhow::Result<Session> {
    installation.api(KEY).launch(json!({ "driver": "scripted" })).await
}

/// Reads frames of a chat until so many deltas have come.
async fn deltas(chat: &mut Chat, many: usize) -> anyhow::Result<()> {
    soon("the first deltas", async {
        for _ in 0..many {
            chat.until("content_delta").await?;
        }
        Ok(())
    })
    .await
}

/// The whole journal of a session with the scripted agent.
async fn journal(session: &Session) -> anyhow::Result<Vec<Value>> {
    whole_journal(session, "@@say the end").await
}

/// The whole journal of a session that runs no turn, after another one in which its agent says `the end`: each event once and
/// in order, one end a turn.
async fn whole_journal(session: &Session, last: &str) -> anyhow::Result<Vec<Value>> {
    let answer = soon("the last turn", session.ask(last)).await?;
    ensure!(answer.status.is_success(), "the last turn was answered {}", answer.body);
    let mut stream = session.events(0).await?;
    let mut events: Vec<Value> = Vec::new();
    soon("the journal", async {
        loop {
            let frame = stream.next().await?.context("the events ended")?;
            ensure!(
                frame.id == Some(events.len() as u64 + 1),
                "{:?} follows {} events",
                frame.id,
                events.len()
            );
            events.push(frame.data);
            let is_last =
                |event: &Value| event["type"] == "turn_ended" && said(&events, &event["turn"]) == "the end";
            if events.last().is_some_and(is_last) {
                return Ok(());
            }
        }
    })
    .await?;
    let started = of_type(&events, "turn_started").count();
    let ended = of_type(&events, "turn_ended").count();
    ensure!(started == ended, "{started} turns began and {ended} ended");
    Ok(events)
}

fn of_type<'a>(events: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |event| event["type"] == kind)
}

/// What was said in a turn.
fn said(events: &[Value], turn: &Value) -> String {
    of_type(events, "text")
        .filter(|event| event["turn"] == *turn)
        .filter_map(|event| event["text"].as_str())
        .collect()
}

/// Waits until the journal of a session says that it is in this state.
async fn until_status(session: &Session, status: &str) -> anyhow::Result<()> {
    let mut events = session.events(0).await?;
    soon(status, async {
        loop {
            let frame = events.until("session_changed").await?;
            if frame.data["status"] == status {
                return Ok(());
            }
        }
    })
    .await
}

/// Waits until the server says that it is ready, or that it is not.
async fn until_ready(api: &Api, ready: bool) -> anyhow::Result<Value> {
    soon("/ready", async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            let answer = api.get("/ready").await?;
            if answer.status.is_success() == ready {
                return Ok(answer.body);
            }
        }
    })
    .await
}
