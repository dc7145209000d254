//! Clients that lose their streams at any byte, again and again, and end with the same events as one that lost none.

use std::sync::Arc;
use std::time::Duration;

use agcluster_tests::seeded::Seeded;
use agcluster_tests::system::Installation;
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::StreamExt;
use reqwest::Method;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::acts;
use super::asked::Asked;
use super::findings::{Fault, Findings, Phase};
use super::line::{Decided, Line};
use super::options::{Agent, Options};

/// Clients of one session.
const CLIENTS: usize = 10;
/// The most bytes that a connection carries before it is cut.
const MOST_BYTES: u64 = 20_000;
/// How long a turn of the fuzz may be waited for.
const TURN: Duration = Duration::from_secs(600);

/// One event as it was received: its id and its exact text.
type Received = (u64, Bytes);

/// Cuts streams.
///
/// # Errors
/// When it cannot be played to its end.
pub(crate) async fn fuzz(
    options: &Options,
    mut seeded: Seeded,
    installation: &mut Installation,
    findings: &mut Findings,
) -> Result<()> {
    let line = Line::new(installation.api(acts::KEY));
    line.serves();
    let clients = options.streams;
    let cuts = options.disconnects.div_ceil(clients as u64);
    eprintln!("==> {clients} streams, each cut {cuts} times");
    let mut sessions = Vec::new();
    for nth in 0..clients.div_ceil(CLIENTS) {
        sessions.push(acts::launch(line.clone(), Agent::Scripted, format!("fuzz-{nth}")).await?);
    }
    // Each session's last turn, once nobody cuts any more.
    let lasts: Vec<watch::Sender<Option<String>>> =
        sessions.iter().map(|_| watch::Sender::default()).collect();
    let busy = watch::Sender::new(clients);
    let mut readers = JoinSet::new();
    for client in 0..clients {
        let nth = client % sessions.len();
        let reader = Reader {
            line: line.clone(),
            session: sessions[nth].clone(),
            seeded: seeded.fork(),
            busy: busy.clone(),
            last: lasts[nth].subscribe(),
        };
        readers.spawn(async move { Ok::<_, anyhow::Error>((nth, reader.read(cuts).await?)) });
    }
    let mut talkers = JoinSet::new();
    for (session, last) in sessions.iter().cloned().zip(lasts) {
        let talker = talk(line.clone(), session, busy.subscribe(), last, seeded.fork());
        talkers.spawn(talker);
    }
    for _ in 0..options.kills {
        // So many of all the frames that are to come.
        line.seen(seeded.below(options.disconnects * 2) + 1).await;
        installation.kill().await?;
        findings.kills += 1;
        *findings.phases.entry(Phase::Turn).or_default() += 1;
        installation.start().await?;
        line.serves();
    }
    let mut received: Vec<Vec<Vec<Received>>> = sessions.iter().map(|_| Vec::new()).collect();
    while let Some(done) = readers.join_next().await {
        let (nth, (events, cut)) = done??;
        findings.disconnects += cut;
        received[nth].push(events);
    }
    while let Some(done) = talkers.join_next().await {
        done??;
    }
    for (session, received) in sessions.iter().zip(received) {
        let reference = whole(&line, session, &mut seeded).await?;
        findings.events += reference.len() as u64;
        for events in received {
            compare(session, &reference, &events, findings);
        }
        acts::delete(line.clone(), session.clone(), Duration::ZERO).await?;
    }
    Ok(())
}

/// Keeps a session busy until its readers have been cut often enough, then says which turn was the last.
async fn talk(
    line: Arc<Line>,
    session: String,
    mut busy: watch::Receiver<usize>,
    last: watch::Sender<Option<String>>,
    mut seeded: Seeded,
) -> Result<()> {
    loop {
        let is_last = *busy.borrow_and_update() == 0;
        let marker = format!("fuzz-{:016x}", seeded.number());
        let prompt = format!("turn {marker}\n@@stream 200 every 5ms of {} bytes", seeded.below(120) + 1);
        let asked = Asked { marker, prompt, says: String::new(), turn: None, may_be_cut: false };
        let turn = tokio::time::timeout(TURN, acts::turn(line.clone(), session.clone(), asked));
        let turn = turn.await.context("a turn did not end")??;
        if is_last {
            last.send_replace(Some(turn.context("the session is gone")?));
            return Ok(());
        }
    }
}

/// A client.
struct Reader {
    line: Arc<Line>,
    session: String,
    seeded: Seeded,
    /// Clients that have not been cut often enough.
    busy: watch::Sender<usize>,
    last: watch::Receiver<Option<String>>,
}

impl Reader {
    /// Everything it received, and how often it was cut.
    async fn read(mut self, cuts: u64) -> Result<(Vec<Received>, u64)> {
        let mut events: Vec<Received> = Vec::new();
        let mut cut = 0;
        while cut < cuts {
            let room = self.seeded.below(MOST_BYTES);
            if self.connection(&mut events, Some(room)).await? {
                cut += 1;
            }
        }
        self.busy.send_modify(|busy| *busy -= 1);
        let last = self.last.wait_for(Option::is_some).await?.clone().unwrap_or_default();
        let is_there = |events: &[Received]| events.iter().rev().any(|(_, data)| ends(data, &last));
        while !is_there(&events) {
            self.until(&mut events, &last).await?;
        }
        Ok((events, cut))
    }

    /// Reads on until so many bytes have come; whether it was then that the connection ended.
    async fn connection(&mut self, events: &mut Vec<Received>, room: Option<u64>) -> Result<bool> {
        let Some(mut body) = self.connect(events).await? else { return Ok(false) };
        let mut frames = Frames::default();
        let mut left = room.unwrap_or(u64::MAX);
        loop {
            let served = self.line.times_served();
            let Some(Ok(bytes)) = body.next().await else {
                self.line.again(served).await;
                return Ok(false);
            };
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            self.take(&mut frames, &bytes[..take], events)?;
            left -= take as u64;
            if left == 0 {
                return Ok(true);
            }
        }
    }

    /// Reads on until the end of a turn.
    async fn until(&mut self, events: &mut Vec<Received>, last: &str) -> Result<()> {
        let Some(mut body) = self.connect(events).await? else { return Ok(()) };
        let mut frames = Frames::default();
        while let Some(Ok(bytes)) = body.next().await {
            self.take(&mut frames, &bytes, events)?;
            if events.last().is_some_and(|(_, data)| ends(data, last)) {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn connect(
        &mut self,
        events: &[Received],
    ) -> Result<Option<futures::stream::BoxStream<'static, reqwest::Result<Bytes>>>> {
        let after = events.last().map_or(0, |(id, _)| *id);
        // Both ways of saying where to go on.
        let by_header = self.seeded.percent(50);
        let path = format!("/api/agents/{}/events", self.session);
        let request = |api: &agcluster_tests::system::Api| {
            if by_header {
                api.request(Method::GET, &path).header("last-event-id", after)
            } else {
                api.request(Method::GET, &format!("{path}?after={after}"))
            }
        };
        match self.line.decided(request).await? {
            Decided::Taken(response) => Ok(Some(response.bytes_stream().boxed())),
            Decided::Gone => bail!("{} is gone", self.session),
        }
    }

    fn take(&self, frames: &mut Frames, bytes: &[u8], events: &mut Vec<Received>) -> Result<()> {
        frames.push(bytes, |id, data| {
            self.line.saw();
            events.push((id, data));
        })
    }
}

fn ends(data: &[u8], turn: &str) -> bool {
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(data) else { return false };
    event["type"] == "turn_ended" && event["turn"] == turn
}

/// Takes a stream of events apart. What is not whole when a connection ends is dropped with this.
#[derive(Default)]
struct Frames {
    held: Vec<u8>,
}

impl Frames {
    fn push(&mut self, bytes: &[u8], mut each: impl FnMut(u64, Bytes)) -> Result<()> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.windows(2).position(|two| two == b"\n\n") {
            let frame: Vec<u8> = self.held.drain(..end + 2).collect();
            let frame = std::str::from_utf8(&frame[..end])?;
            if frame.starts_with(':') {
                continue;
            }
            let (id, data) =
                frame.split_once('\n').with_context(|| format!("a frame of one line: {frame}"))?;
            let id = id.strip_prefix("id: ").with_context(|| format!("a frame without an id: {frame}"))?;
            let data =
                data.strip_prefix("data: ").with_context(|| format!("a frame without data: {frame}"))?;
            each(id.parse()?, Bytes::copy_from_slice(data.as_bytes()));
        }
        Ok(())
    }
}

/// All events of a session, as a client receives them that loses no connection.
async fn whole(line: &Arc<Line>, session: &str, seeded: &mut Seeded) -> Result<Vec<Received>> {
    let head = acts::probe(line, Agent::Scripted, session, seeded).await?;
    let path = format!("/api/agents/{session}/events?after=0");
    let Decided::Taken(response) = line.decided(|api| api.request(Method::GET, &path)).await? else {
        bail!("{session} is gone");
    };
    let (mut body, mut frames, mut events) = (response.bytes_stream(), Frames::default(), Vec::new());
    while let Some(bytes) = body.next().await {
        frames.push(&bytes?, |id, data| events.push((id, data)))?;
        if events.last().is_some_and(|(_, data)| ends(data, &head)) {
            return Ok(events);
        }
    }
    bail!("the events of {session} ended")
}

/// A client's events are the first of the reference's, to the byte.
fn compare(session: &str, reference: &[Received], events: &[Received], findings: &mut Findings) {
    for (nth, event) in events.iter().enumerate() {
        if event.0 != nth as u64 + 1 {
            let fault = if event.0 > nth as u64 + 1 { Fault::Lost } else { Fault::Duplicated };
            findings.fault(fault, format!("{session}: a client's event {} is {}", nth + 1, event.0));
            return;
        }
        if reference.get(nth) != Some(event) {
            findings.fault(Fault::Untrue, format!("{session}: event {} was received otherwise", event.0));
            return;
        }
    }
    let (has, all) = (events.len(), reference.len());
    if has == 0 || has > all {
        findings.fault(Fault::Lost, format!("{session}: a client has {has} events of {all}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart_at_any_byte() {
        let stream = b"id: 1\ndata: {}\n\n: heartbeat\n\nid: 2\ndata: {\"a\":1}\n\nid: 3\ndata: {";
        for cut in 0..stream.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                frames.push(part, |id, data| seen.push((id, data))).unwrap();
            }
            assert_eq!(seen, [(1, Bytes::from("{}")), (2, Bytes::from("{\"a\":1}"))]);
        }
    }

    #[test]
    fn a_client_that_lacks_or_doubles_an_event_is_found() {
        let events: Vec<Received> = (1..=4).map(|id| (id, Bytes::from(format!("{id}")))).collect();
        let wrong = |change: fn(&mut Vec<Received>)| {
            let mut theirs = events.clone();
            change(&mut theirs);
            let mut findings = Findings::default();
            compare("s", &events, &theirs, &mut findings);
            findings.faults().next().unwrap_or_default()
        };
        assert_eq!(wrong(|_| ()), "");
        assert!(wrong(|events| drop(events.remove(1))).starts_with("lost"));
        assert!(wrong(|events| events.insert(1, events[0].clone())).starts_with("duplicated"));
        assert!(wrong(|events| events[2].1 = Bytes::from("x")).starts_with("untrue"));
    }
}
