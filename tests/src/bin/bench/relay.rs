//! The way of events: from an agent server through the server to a client, beside reading an agent server directly. Both
//! are read in the same way, and take turns.

use std::time::Instant;

use agcluster_core::protocol::{Event, EventBody};
use agcluster_tests::system::Session;
use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;

use super::direct::Direct;
use super::figure::{Figure, Unit};
use super::limits::{STEP, soon};
use super::progress;
use super::samples::Samples;
use super::stage::Stage;

/// A modest pace: 200 events a second.
const PACED: u64 = 100;
const PACED_EVERY_MS: u64 = 5;
/// As fast as it goes.
const FLAT_OUT: u64 = 20_000;
const BYTES: u64 = 100;

/// What the way of an event may cost, in seconds.
const LATENCY_TARGET: f64 = 200e-6;

type Events = BoxStream<'static, Result<Event>>;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let api = stage.api();
    let session = soon("a launch", STEP, api.launch(json!({ "driver": "scripted" }))).await?;
    let direct = Direct::start(stage).await?;
    let [mut paced, mut paced_floor, mut rate, mut rate_floor] = [const { Samples::new() }; 4];
    // The first round warms both up.
    for nth in 0..=stage.options.runs {
        progress(&format!("relay {nth} of {}", stage.options.runs));
        for step in 0..2 {
            let through = (nth + step) % 2 == 0;
            let (latencies, events) = round(through, &session, &direct).await?;
            if nth > 0 {
                let kept = if through { (&mut paced, &mut rate) } else { (&mut paced_floor, &mut rate_floor) };
                kept.0.extend(latencies);
                kept.1.push(events);
            }
        }
    }
    soon("a removal", STEP, session.delete()).await?;
    direct.destroy(stage).await?;
    let floor = "agent server, read directly";
    let latency = format!("relay: an event's age on arrival, {} events/s", 1000 / PACED_EVERY_MS);
    Ok(vec![
        Figure::new(latency, Unit::Microseconds, paced).over(floor, &paced_floor).at_most(LATENCY_TARGET),
        Figure::new("relay: events flat out", Unit::PerSecond, rate).over(floor, &rate_floor).as_ratio(),
    ])
}

/// A paced turn and one at full speed: how old events were, and how many came in a second.
async fn round(through: bool, session: &Session, direct: &Direct) -> Result<(Vec<f64>, f64)> {
    let mut events = if through { of_session(session).await? } else { direct.events().await? };
    let ask = async |prompt: String| {
        if through { ask(session, &prompt).await } else { direct.ask(&prompt).await }
    };
    ask(format!("@@stream {PACED} every {PACED_EVERY_MS}ms of {BYTES} bytes")).await?;
    let latencies = read(&mut events, PACED, |event| {
        Timestamp::now().duration_since(event.at).as_secs_f64()
    });
    let latencies = soon("a paced turn", STEP, latencies).await?;

    ask(format!("@@stream {FLAT_OUT} of {BYTES} bytes")).await?;
    let times = soon("a turn at full speed", STEP, read(&mut events, FLAT_OUT, |_| Instant::now())).await?;
    let (first, last) = times.first().zip(times.last()).context("a turn has events")?;
    Ok((latencies, (FLAT_OUT - 1) as f64 / last.duration_since(*first).as_secs_f64()))
}

/// Looks at the deltas of the next turn that is shown whole, as each arrives.
async fn read<T>(events: &mut Events, deltas: u64, mut look: impl FnMut(&Event) -> T) -> Result<Vec<T>> {
    let mut seen = Vec::new();
    loop {
        let event = events.next().await.context("the events ended")??;
        match event.body {
            // What was before is a turn of an earlier round.
            EventBody::TurnStarted { .. } => seen.clear(),
            EventBody::TextDelta { .. } => seen.push(look(&event)),
            EventBody::TurnEnded(_) if seen.len() as u64 == deltas => return Ok(seen),
            _ => {}
        }
    }
}

/// A session's events from now on, through the server.
async fn of_session(session: &Session) -> Result<Events> {
    let after = session.get().await?.body["last_seq"].as_u64().unwrap_or(0);
    let path = format!("/api/agents/{}/events?after={after}", session.id);
    let response = session.request(Method::GET, &path).send().await?;
    ensure!(response.status().is_success(), "the events were answered {}", response.status());
    let events = sseer::EventStream::new(response.bytes_stream());
    Ok(events.map(|event| Ok(serde_json::from_str(&event?.data)?)).boxed())
}

/// Starts a turn through the server, and does not stay to see it.
async fn ask(session: &Session, prompt: &str) -> Result<()> {
    soon("a chat", STEP, async { session.chat(prompt).await.map(drop) }).await
}
