//! The way of events: from an agent server through the server to a client, beside reading an agent server directly. Both
//! are read in the same way, and take turns.

use std::time::Instant;

use agcluster_core::protocol::{Event, EventBody};
use agcluster_tests::system::{Api, Session};
use anyhow::{Context, Result, anyhow, ensure};
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
const PACED: usize = 100;
const PACED_EVERY_MS: u64 = 5;
/// As fast as it goes.
const FLAT_OUT: usize = 20_000;
const BYTES: usize = 100;

/// What the way through the server may add, in seconds.
const AGE_TARGET: f64 = 200e-6;

pub(super) type Events = BoxStream<'static, Result<Event>>;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let api = stage.api();
    let session = soon("a launch", STEP, api.launch(json!({ "driver": "scripted" }))).await?;
    let direct = Direct::start(stage).await?;
    let mut of_session = soon("a stream", STEP, events(&api, &session)).await?;
    let mut of_direct = soon("a stream", STEP, direct.events()).await?;
    let (mut through, mut floor) = (Measured::default(), Measured::default());
    // The first round warms both up.
    for nth in 0..=stage.options.runs {
        progress(&format!("relay {nth} of {}", stage.options.runs));
        for step in 0..2 {
            let (measured, round) = if (nth + step).is_multiple_of(2) {
                let ask = async |prompt: String| session.chat(&prompt).await.map(drop);
                (&mut through, round(&mut of_session, ask).await?)
            } else {
                let ask = async |prompt: String| direct.ask(&prompt).await;
                (&mut floor, round(&mut of_direct, ask).await?)
            };
            if nth > 0 {
                measured.ages.extend(round.0);
                measured.rate.push(round.1);
            }
        }
    }
    soon("a removal", STEP, session.delete()).await?;
    direct.destroy(stage).await?;
    let name = "agent server, read directly";
    let paced = format!("relay: age of an event on arrival, at {} events/s", 1000 / PACED_EVERY_MS);
    Ok(vec![
        Figure::new(paced, Unit::Microseconds, through.ages).over(name, &floor.ages).at_most(AGE_TARGET),
        Figure::new("relay: events flat out", Unit::PerSecond, through.rate)
            .over(name, &floor.rate)
            .judged_by_ratio(),
    ])
}

#[derive(Default)]
struct Measured {
    ages: Samples,
    rate: Samples,
}

/// A paced turn and one at full speed: how old events were, and how many came in a second.
async fn round(events: &mut Events, ask: impl AsyncFn(String) -> Result<()>) -> Result<(Vec<f64>, f64)> {
    let paced = async {
        ask(format!("@@stream {PACED} every {PACED_EVERY_MS}ms of {BYTES} bytes")).await?;
        let age = |event: &Event| Timestamp::now().duration_since(event.at).as_secs_f64();
        read(events, PACED, age).await
    };
    let ages = soon("a paced turn", STEP, paced).await?;
    let flat_out = async {
        ask(format!("@@stream {FLAT_OUT} of {BYTES} bytes")).await?;
        read(events, FLAT_OUT, |_| Instant::now()).await
    };
    let times = soon("a turn at full speed", STEP, flat_out).await?;
    let (first, last) = times.first().zip(times.last()).context("a turn has events")?;
    Ok((ages, (FLAT_OUT - 1) as f64 / last.duration_since(*first).as_secs_f64()))
}

/// Looks at each delta of the turn that is running, as it arrives.
async fn read<T>(events: &mut Events, deltas: usize, mut look: impl FnMut(&Event) -> T) -> Result<Vec<T>> {
    let mut seen = Vec::with_capacity(deltas);
    loop {
        let event = events.next().await.context("the events ended")??;
        match event.body {
            EventBody::TextDelta { .. } => seen.push(look(&event)),
            EventBody::TurnEnded(_) => {
                ensure!(seen.len() == deltas, "a turn of {deltas} events had {}", seen.len());
                return Ok(seen);
            }
            _ => {}
        }
    }
}

/// A session's events, through the server.
pub(super) async fn events(api: &Api, session: &Session) -> Result<Events> {
    let path = format!("/api/agents/{}/events?after=0", session.id);
    let response = api.request(Method::GET, &path).send().await?;
    ensure!(response.status().is_success(), "the events were answered {}", response.status());
    let events = sseer::EventStream::new(response.bytes_stream());
    Ok(events
        .map(|event| {
            let event = event.map_err(|error| anyhow!("the stream broke: {error}"))?;
            Ok(serde_json::from_str(&event.data)?)
        })
        .boxed())
}
