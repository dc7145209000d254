//! What clients do. Each act goes on through any number of the server's ends, as a good client does.

use std::sync::Arc;
use std::time::Duration;

use agcluster_tests::seeded::Seeded;
use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::asked::{self, Asked};
use super::findings::Phase;
use super::line::{Decided, Line};
use super::options::Agent;

/// The key that sessions are launched with.
pub(crate) const KEY: &str = "crash-key-93ab27";

/// How long the events of one journal may take to be read, also on a machine that has much else to do.
const READING: Duration = Duration::from_secs(600);

/// Launches a session, with an idempotency key, and gives its id.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn launch(line: Arc<Line>, agent: Agent, key: String) -> Result<String> {
    let _doing = line.doing(Phase::Launch);
    let body = json!({ "api_key": KEY, "config": asked::config(agent) });
    loop {
        let request = |api: &agcluster_tests::system::Api| {
            api.request(Method::POST, "/api/agents/launch").header("idempotency-key", &key).json(&body)
        };
        let Decided::Taken(response) = line.decided(request).await? else { bail!("a launch was not found") };
        let served = line.times_served();
        match response.json::<Value>().await {
            Ok(answer) => {
                return Ok(answer["session_id"].as_str().context("a launch gives a session_id")?.to_owned());
            }
            // The server went while it answered.
            Err(_) => line.again(served).await,
        }
    }
}

/// Runs a turn to its end and gives its name; none when the session is gone.
///
/// # Errors
/// When the server refuses, or takes the same request for another turn.
pub(crate) async fn turn(line: Arc<Line>, session: String, asked: Asked) -> Result<Option<String>> {
    let _doing = line.doing(Phase::Turn);
    let path = format!("/api/agents/{session}/chat");
    let mut known: Option<String> = None;
    loop {
        let request = |api: &agcluster_tests::system::Api| {
            let request = api.request(Method::POST, &path).header("idempotency-key", &asked.marker);
            request.json(&json!({ "message": asked.prompt }))
        };
        let Decided::Taken(response) = line.decided(request).await? else { return Ok(None) };
        let served = line.times_served();
        let turn = response.headers().get("x-turn-id").and_then(|id| id.to_str().ok());
        let turn = turn.context("a chat names its turn")?.to_owned();
        if let Some(known) = &known {
            ensure!(*known == turn, "the request {} began {known} and {turn}", asked.marker);
        }
        known = Some(turn);
        let mut frames = sseer::EventStream::new(response.bytes_stream());
        while let Some(Ok(frame)) = frames.next().await {
            line.saw();
            if &*frame.data == "[DONE]" {
                return Ok(known);
            }
        }
        line.again(served).await;
    }
}

/// Restarts a session; `false` when it is gone.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn restart(line: Arc<Line>, session: String, wait: Duration) -> Result<bool> {
    tokio::time::sleep(wait).await;
    let _doing = line.doing(Phase::Restart);
    let path = format!("/api/agents/sessions/{session}/restart");
    let decided = line.decided(|api| api.request(Method::POST, &path).json(&json!({}))).await?;
    Ok(matches!(decided, Decided::Taken(_)))
}

/// Waits until a session says that its container of this generation is gone, and restarts it. One that has another container
/// by then is left alone.
///
/// # Errors
/// When it does not say so, or cannot be restarted.
pub(crate) async fn revive(line: Arc<Line>, session: String, generation: u64) -> Result<()> {
    let path = format!("/api/agents/sessions/{session}");
    let reviving = async {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            let look = line.get(&path).await?;
            let is_next = look["generation"].as_u64().is_some_and(|next| next > generation);
            match look["status"].as_str() {
                Some("failed") => {
                    return restart(Arc::clone(&line), session.clone(), Duration::ZERO).await.map(drop);
                }
                Some("running") if is_next => return Ok(()),
                _ => {}
            }
        }
    };
    let revived = tokio::time::timeout(READING, reviving).await;
    revived.with_context(|| format!("{session} does not say that its container is gone"))?
}

/// Removes a session.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn delete(line: Arc<Line>, session: String, wait: Duration) -> Result<()> {
    tokio::time::sleep(wait).await;
    let _doing = line.doing(Phase::Delete);
    let path = format!("/api/agents/sessions/{session}");
    line.decided(|api| api.request(Method::DELETE, &path)).await.map(drop)
}

/// Reads a session's events with a cursor, through any number of lost connections, until `turn` has ended.
///
/// # Errors
/// When the session is gone, or the end does not come.
pub(crate) async fn read_until_end(line: &Line, session: &str, turn: &str) -> Result<Vec<Value>> {
    let mut events: Vec<Value> = Vec::new();
    let reading = async {
        loop {
            let after = events.last().and_then(|event| event["seq"].as_u64()).unwrap_or(0);
            let path = format!("/api/agents/{session}/events?after={after}");
            let Decided::Taken(response) = line.decided(|api| api.request(Method::GET, &path)).await? else {
                bail!("{session} is gone while its events are read");
            };
            let served = line.times_served();
            let mut frames = sseer::EventStream::new(response.bytes_stream());
            while let Some(Ok(frame)) = frames.next().await {
                line.saw();
                let event: Value = serde_json::from_str(&frame.data)?;
                ensure!(event["type"] != "stream_error", "{session}: {event}");
                let is_end = event["type"] == "turn_ended" && event["turn"] == turn;
                events.push(event);
                if is_end {
                    return Ok(());
                }
            }
            line.again(served).await;
        }
    };
    tokio::time::timeout(READING, reading)
        .await
        .with_context(|| format!("{session} has no end of {turn}"))??;
    Ok(events)
}

/// A probe's turn, which every session that runs must answer.
///
/// # Errors
/// As [`turn`].
pub(crate) async fn probe(
    line: &Arc<Line>,
    agent: Agent,
    session: &str,
    seeded: &mut Seeded,
) -> Result<String> {
    let asked = Asked {
        marker: format!("probe-{:016x}", seeded.number()),
        prompt: asked::probe(agent).to_owned(),
        says: String::new(),
        turn: None,
        may_be_cut: false,
    };
    turn(Arc::clone(line), session.to_owned(), asked).await?.with_context(|| format!("{session} is gone"))
}
