//! The way of a chat completion's chunks, beside the events that they are made of: both are read from the server at once, so
//! that each chunk is as old as the event in it.

use anyhow::{Context, Result, anyhow, ensure};
use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use agcluster_core::protocol::EventBody;
use agcluster_tests::system::Api;

use super::figure::{Figure, Unit};
use super::limits::{STEP, soon};
use super::progress;
use super::relay::{Events, events};
use super::samples::Samples;
use super::stage::Stage;

/// A modest pace: 200 chunks a second.
const CHUNKS: usize = 200;
const EVERY_MS: u64 = 5;
const BYTES: usize = 100;

/// What the other shape may add, in seconds.
const TARGET: f64 = 200e-6;

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let api = stage.api();
    let session = soon("a launch", STEP, api.launch(json!({ "driver": "scripted" }))).await?;
    let mut native = soon("a stream", STEP, events(&api, &session)).await?;
    let (mut ages, mut floor) = (Samples::default(), Samples::default());
    // The first round warms both up.
    for nth in 0..=stage.options.runs {
        progress(&format!("completions {nth} of {}", stage.options.runs));
        let reading = async {
            let mut chunks = complete(&api, &session.id).await?;
            futures::future::try_join(deltas(&mut native), arrivals(&mut chunks)).await
        };
        let (events, chunks) = soon("a turn", STEP, reading).await?;
        ensure!(
            events.len() == CHUNKS && chunks.len() == CHUNKS,
            "{} events, {} chunks",
            events.len(),
            chunks.len()
        );
        if nth > 0 {
            let age = |at: &Timestamp, arrived: &Timestamp| arrived.duration_since(*at).as_secs_f64();
            floor.extend(events.iter().map(|(at, arrived)| age(at, arrived)));
            ages.extend(events.iter().zip(&chunks).map(|((at, _), arrived)| age(at, arrived)));
        }
    }
    soon("a removal", STEP, session.delete()).await?;
    let name = format!("chat completion: age of a chunk on arrival, at {} chunks/s", 1000 / EVERY_MS);
    Ok(vec![
        Figure::new(name, Unit::Microseconds, ages).over("the session's own events", &floor).at_most(TARGET),
    ])
}

type Chunks = BoxStream<'static, Result<Value>>;

/// Begins a turn and gives its chunks.
async fn complete(api: &Api, session: &str) -> Result<Chunks> {
    let prompt = format!("@@stream {CHUNKS} every {EVERY_MS}ms of {BYTES} bytes");
    let body = json!({ "model": "any", "stream": true, "messages": [{ "role": "user", "content": prompt }] });
    let request = api.request(Method::POST, "/v1/chat/completions").header("x-session-id", session);
    let response = request.json(&body).send().await?;
    ensure!(response.status().is_success(), "the completion was answered {}", response.status());
    let events = sseer::EventStream::new(response.bytes_stream());
    Ok(events
        .map(|event| {
            let event = event.map_err(|error| anyhow!("the stream broke: {error}"))?;
            Ok(if event.data == "[DONE]" { Value::Null } else { serde_json::from_str(&event.data)? })
        })
        .boxed())
}

/// When each delta of the turn happened, and when it came.
async fn deltas(events: &mut Events) -> Result<Vec<(Timestamp, Timestamp)>> {
    let mut seen = Vec::with_capacity(CHUNKS);
    loop {
        let event = events.next().await.context("the events ended")??;
        match event.body {
            EventBody::TextDelta { .. } => seen.push((event.at, Timestamp::now())),
            EventBody::TurnEnded(_) => return Ok(seen),
            _ => {}
        }
    }
}

/// When each chunk of text came.
async fn arrivals(chunks: &mut Chunks) -> Result<Vec<Timestamp>> {
    let mut seen = Vec::with_capacity(CHUNKS);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if chunk["choices"][0]["delta"]["content"].as_str().is_some_and(|text| text.len() == BYTES) {
            seen.push(Timestamp::now());
        }
    }
    Ok(seen)
}
