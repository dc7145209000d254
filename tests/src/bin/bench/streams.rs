//! Many streams at once, each at a modest pace and journaled to SQLite: how old events are when they reach a client of the
//! server, beside agent servers that are read directly; whether memory stays; whether any event is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agcluster_core::protocol::EventBody;
use agcluster_core::session::Session;
use anyhow::{Context, Result, anyhow, ensure};
use bytes::{Buf, BytesMut};
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use rustix::process::getpid;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use super::bare_agents::{self, BareAgent};
use super::figure::{Figure, Unit};
use super::inside::{Running, World};
use super::limits::{STEP, allow_open_files, resident, soon};
use super::options::Options;
use super::progress;
use super::samples::Samples;

/// Events a second in each stream.
const PACE: usize = 20;
const EVERY_MS: usize = 1000 / PACE;
const BYTES: usize = 100;
/// The scripted agent says a block again as a whole after so many. Each stream is at another place in its own.
const BLOCK: usize = (64 << 10) / BYTES;
/// Streams that are opened, and turns that are begun, at a time.
const AT_ONCE: usize = 16;
/// So many of all ages are kept, from all streams and times alike.
const KEPT: usize = 200_000;
/// At the beginning, nothing has come to rest: what is measured begins so much later.
const WARM_UP: Duration = Duration::from_secs(5);
/// What is read directly does not change after so long, in seconds.
const DIRECTLY: usize = 60;
/// Besides the connections: each stream has one, which is open on both sides here.
const OTHER_FILES: usize = 512;
/// A client reads so much at a time, in bytes.
const READ: usize = 4096;

/// Targets: seconds, seconds, bytes.
const MEDIAN: f64 = 0.002;
const P99: f64 = 0.020;
const GROWTH: f64 = 16.0 * (1 << 20) as f64;

/// What one run of all streams came to.
struct Run {
    ages: Samples,
    memory: Vec<f64>,
    events: u64,
}

/// Measures.
///
/// # Errors
/// Whatever keeps a figure from being measured; also one event too few.
pub(crate) async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let (many, seconds) = (options.journaled_streams, options.seconds);
    allow_open_files((2 * many + OTHER_FILES) as u64)?;
    let prompts = |seconds: usize| -> Vec<String> {
        (0..many).map(|nth| prompt(seconds * PACE, nth * BLOCK / many)).collect()
    };

    let directly = seconds.min(DIRECTLY);
    progress(&format!("streams: {many} read directly for {directly} s"));
    let world = World::new()?;
    let agents = bare_agents::start(&world.provider, many).await?;
    let asked = prompts(directly);
    let floor =
        run(directly, readers(&agents).await?, async |nth| agents[nth].ask(&asked[nth]).await).await?;
    drop((agents, world));

    progress(&format!("streams: {many} through the server for {seconds} s"));
    let world = World::new()?;
    let running = world.start().await?;
    let sessions = running.launch(many).await?;
    let asked = prompts(seconds);
    let begin = async |nth: usize| {
        let session: &Arc<Session> = &sessions[nth];
        session.chat(vec![agcluster_core::protocol::PromptBlock::text(&*asked[nth])]).await?;
        Ok(())
    };
    let through = run(seconds, clients(&running, &sessions).await?, begin).await?;
    kept(&sessions, seconds * PACE).await?;
    drop(sessions);
    running.sessions.shutdown().await;
    running.end().await?;
    ensure!(through.events == (many * seconds * PACE) as u64, "events were lost: {} came", through.events);

    let (early, late) = halves(&through.memory);
    let name = "agent servers, read directly";
    let what = |what: &str| format!("{many} journaled streams at {PACE} events/s, {seconds} s: {what}");
    Ok(vec![
        Figure::new(what("age of an event"), Unit::Microseconds, through.ages.clone())
            .over(name, &floor.ages)
            .at_most(MEDIAN),
        Figure::new(what("the oldest"), Unit::Microseconds, through.ages)
            .over(name, &floor.ages)
            .judged_by_added_p99()
            .at_most(P99),
        Figure::new(what("RSS in the last half"), Unit::Mebibytes, late)
            .over("in the first half", &early)
            .at_most(GROWTH),
    ])
}

/// What makes an agent say so many, the first `first` of them in a block of their own.
fn prompt(many: usize, first: usize) -> String {
    let first = first.min(many - 1);
    let stream = |many| format!("@@stream {many} every {EVERY_MS}ms of {BYTES} bytes\n");
    [first, many - first].into_iter().filter(|many| *many > 0).map(stream).collect()
}

/// One reader: gives each delta's age to what it is given, until the turn ends; then how many there were.
type Reader = futures::future::BoxFuture<'static, Result<u64>>;
/// What readers report to.
type Ages = Arc<Sink>;

/// Keeps some of all ages: as many as fit, from each reader alike.
struct Sink {
    ages: std::sync::Mutex<Samples>,
    seen: AtomicU64,
    every: u64,
    from: Instant,
}

impl Sink {
    fn note(&self, at: Timestamp) {
        if self.from > Instant::now() {
            return;
        }
        if self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(self.every) {
            let age = Timestamp::now().duration_since(at).as_secs_f64();
            self.ages.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(age);
        }
    }
}

async fn run(
    seconds: usize,
    readers: Vec<Box<dyn FnOnce(Ages) -> Reader + Send>>,
    begin: impl AsyncFn(usize) -> Result<()>,
) -> Result<Run> {
    let many = readers.len();
    let all = (many * seconds * PACE) as u64;
    let warm_up = WARM_UP.min(Duration::from_secs(seconds as u64) / 4);
    let sink = Arc::new(Sink {
        ages: std::sync::Mutex::default(),
        seen: AtomicU64::new(0),
        every: (all / KEPT as u64).max(1),
        from: Instant::now() + warm_up,
    });
    let mut reading = JoinSet::new();
    for reader in readers {
        reading.spawn(reader(Arc::clone(&sink)));
    }
    futures::stream::iter(0..many)
        .map(|nth| soon("the beginning of a turn", STEP, begin(nth)))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    let (mut memory, mut events) = (Vec::new(), 0);
    let limit = Duration::from_secs(seconds as u64) * 2 + STEP;
    let reading_all = async {
        loop {
            tokio::select! {
                read = reading.join_next() => match read {
                    Some(read) => events += read??,
                    None => return Ok(()),
                },
                _ = looks.tick() => memory.push(resident(getpid())?),
            }
        }
    };
    soon("the end of all streams", limit, reading_all).await?;
    let ages = sink.ages.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    Ok(Run { ages, memory, events })
}

/// Readers of agent servers.
async fn readers(agents: &[BareAgent]) -> Result<Vec<Box<dyn FnOnce(Ages) -> Reader + Send>>> {
    futures::stream::iter(agents)
        .map(|agent| async {
            let mut events = agent.client.events(agent.last_seq).await?;
            let read = move |ages: Ages| -> Reader {
                Box::pin(async move {
                    let mut deltas = 0;
                    while let Some(event) = events.next().await {
                        let event = event?;
                        match event.body {
                            EventBody::TextDelta { .. } => {
                                deltas += 1;
                                ages.note(event.at);
                            }
                            EventBody::TurnEnded(_) => return Ok(deltas),
                            _ => {}
                        }
                    }
                    Err(anyhow!("an agent server's events ended"))
                })
            };
            anyhow::Ok(Box::new(read) as Box<dyn FnOnce(Ages) -> Reader + Send>)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// Clients of the server. They look for what they need in the text, so that they cost little beside what is measured: what
/// is between the frames, the lengths of pieces, they pass over.
async fn clients(
    running: &Running,
    sessions: &[Arc<Session>],
) -> Result<Vec<Box<dyn FnOnce(Ages) -> Reader + Send>>> {
    futures::stream::iter(sessions)
        .map(|session| {
            let path = format!("/api/agents/{}/events?after=0", session.id());
            async move {
                let mut connection = running.get(&path).await?;
                let read = move |ages: Ages| -> Reader {
                    Box::pin(async move {
                        let (mut deltas, mut held) = (0, BytesMut::new());
                        loop {
                            held.reserve(READ);
                            if connection.read_buf(&mut held).await? == 0 {
                                return Err(anyhow!("a session's events ended"));
                            }
                            while let Some(end) = held.windows(2).position(|two| two == b"\n\n") {
                                let frame = std::str::from_utf8(&held[..end])?;
                                if frame.contains("\"type\":\"text_delta\"") {
                                    deltas += 1;
                                    ages.note(time_of(frame)?);
                                } else if frame.contains("\"type\":\"turn_ended\"") {
                                    return Ok(deltas);
                                }
                                held.advance(end + 2);
                            }
                        }
                    })
                };
                anyhow::Ok(Box::new(read) as Box<dyn FnOnce(Ages) -> Reader + Send>)
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// When an event happened, from its text.
fn time_of(frame: &str) -> Result<Timestamp> {
    let (_, rest) = frame.split_once("\"at\":\"").context("an event without a time")?;
    let (at, _) = rest.split_once('"').context("an event without a time")?;
    Ok(at.parse()?)
}

/// The journals have every event, too, once and in order.
async fn kept(sessions: &[Arc<Session>], expected: usize) -> Result<()> {
    for session in sessions {
        let (mut after, mut deltas) = (0, 0);
        loop {
            let page = session.read(after, 1024).await?;
            let Some(last) = page.last().map(|record| record.seq()) else { break };
            for record in &page {
                ensure!(record.seq() == after + 1, "{}: {} follows {after}", session.id(), record.seq());
                after = record.seq();
                deltas += usize::from(matches!(record.event.body, EventBody::TextDelta { .. }));
            }
            ensure!(after == last, "a page ends elsewhere");
        }
        ensure!(deltas == expected, "{} keeps {deltas} of {expected} events", session.id());
    }
    Ok(())
}

/// The first and the last half of what was looked at, without the very beginning.
fn halves(values: &[f64]) -> (Samples, Samples) {
    let rest = &values[values.len() / 5..];
    let (early, late) = rest.split_at(rest.len() / 2);
    (early.iter().copied().collect(), late.iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_event_is_found() {
        let frame = "id: 7\ndata: {\"seq\":7,\"at\":\"2026-01-02T03:04:05.678Z\",\"type\":\"text_delta\"}";
        assert_eq!(time_of(frame).unwrap().as_millisecond(), 1_767_323_045_678);
        assert!(time_of("id: 7\ndata: {}").is_err());
    }

    #[test]
    fn a_stream_has_as_many_events_wherever_it_begins() {
        assert_eq!(prompt(9, 0), "@@stream 9 every 50ms of 100 bytes\n");
        assert_eq!(prompt(9, 4), "@@stream 4 every 50ms of 100 bytes\n@@stream 5 every 50ms of 100 bytes\n");
        assert_eq!(prompt(9, 9), "@@stream 8 every 50ms of 100 bytes\n@@stream 1 every 50ms of 100 bytes\n");
    }

    #[test]
    fn the_beginning_counts_for_no_half() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let (early, late) = halves(&values);
        assert_eq!((early.values(), late.values()), (&[2.0, 3.0, 4.0, 5.0][..], &[6.0, 7.0, 8.0, 9.0][..]));
    }
}
