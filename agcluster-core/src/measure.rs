//! The numbers that this library gives out, through the `metrics` facade: whoever embeds it chooses where they go.
//!
//! Every name and label stands in [`ALL`]. Labels have few values: no session, container, user or text of a container's is among them, and models are
//! counted by name only up to [a bound](MODELS).

mod models;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::metrics::{
    SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use agcluster_protocol::{EventBody, Outcome, TurnEnd, Usage};

pub use self::models::MODELS;
use crate::journal::Record;
use crate::session::{Sessions, Status};
use crate::store::StoreError;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, of seconds.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, as half a sentence.
    pub meaning: &'static str,
}

impl Metric {
    /// Tells the recorder what it means. The recorder should be installed by then.
    pub fn describe(&self) {
        let meaning = SharedString::const_str(self.meaning);
        match self.kind {
            Kind::Counter => describe_counter!(self.name, meaning),
            Kind::Gauge => describe_gauge!(self.name, meaning),
            Kind::Histogram => describe_histogram!(self.name, Unit::Seconds, meaning),
        }
    }
}

const LAUNCHES: &str = "agcluster_launches_total";
const LAUNCH_SECONDS: &str = "agcluster_launch_seconds";
const FIRST_EVENT_SECONDS: &str = "agcluster_turn_first_event_seconds";
const TURNS: &str = "agcluster_turns_total";
const TURN_SECONDS: &str = "agcluster_turn_seconds";
const EVENTS: &str = "agcluster_events_total";
const TOKENS: &str = "agcluster_tokens_total";
const COST: &str = "agcluster_cost_microdollars_total";
const COMMITS: &str = "agcluster_store_commits_total";
const COMMIT_SECONDS: &str = "agcluster_store_commit_seconds";
const CHANGES: &str = "agcluster_store_changes_total";
const WRITES_WAITING: &str = "agcluster_store_writes_waiting";
const CONNECTIONS: &str = "agcluster_store_connections";
const CONNECTIONS_MAX: &str = "agcluster_store_connections_max";
const READERS: &str = "agcluster_journal_readers";
const ASKING: &str = "agcluster_agent_requests_under_way";
const SESSIONS: &str = "agcluster_sessions";
const TURNS_RUNNING: &str = "agcluster_turns_running";
const TURNS_WAITING: &str = "agcluster_turns_waiting";
pub(crate) const PROVIDER_CALLS: &str = "agcluster_provider_calls_total";
pub(crate) const PROVIDER_CALL_SECONDS: &str = "agcluster_provider_call_seconds";

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric { name, kind, labels, meaning }
}

/// All of them.
pub const ALL: &[Metric] = &[
    metric(
        LAUNCHES,
        Kind::Counter,
        &["provider", "outcome"],
        "launches that were begun, by how they ended: `ok` or an error's code",
    ),
    metric(LAUNCH_SECONDS, Kind::Histogram, &["provider"], "from the request to an agent that takes turns"),
    metric(FIRST_EVENT_SECONDS, Kind::Histogram, &[], "from a turn's place to its first event"),
    metric(
        TURNS,
        Kind::Counter,
        &["outcome"],
        "turns that ended: `completed`, `interrupted`, `limit`, or why they failed",
    ),
    metric(TURN_SECONDS, Kind::Histogram, &[], "how long agents worked on turns"),
    metric(EVENTS, Kind::Counter, &["type"], "events that were kept and shown"),
    metric(
        TOKENS,
        Kind::Counter,
        &["model", "kind"],
        "tokens of turns that ended: `input`, `output`, `cache_read`, `cache_write`",
    ),
    metric(
        COST,
        Kind::Counter,
        &["model"],
        "what turns that ended cost, in millionths of a US dollar, as agents reckon it",
    ),
    metric(
        COMMITS,
        Kind::Counter,
        &["outcome"],
        "commits to the database: `ok`, `unavailable` (tried again) or `refused`",
    ),
    metric(COMMIT_SECONDS, Kind::Histogram, &[], "how long commits take"),
    metric(CHANGES, Kind::Counter, &[], "changes in these commits"),
    metric(WRITES_WAITING, Kind::Gauge, &[], "writes that wait for the next commit"),
    metric(
        CONNECTIONS,
        Kind::Gauge,
        &["state"],
        "connections to the database in the pool that reads: `used` or `idle`; writing has one of its own",
    ),
    metric(CONNECTIONS_MAX, Kind::Gauge, &[], "the most that this pool holds; 0 where reading needs none"),
    metric(READERS, Kind::Gauge, &[], "streams that read a session's events"),
    metric(
        ASKING,
        Kind::Gauge,
        &[],
        "requests to agent servers whose answers have not been read to their end",
    ),
    metric(SESSIONS, Kind::Gauge, &["provider", "status"], "sessions"),
    metric(TURNS_RUNNING, Kind::Gauge, &[], "turns that run"),
    metric(TURNS_WAITING, Kind::Gauge, &[], "turns that wait in their sessions' queues"),
    metric(
        PROVIDER_CALLS,
        Kind::Counter,
        &["platform", "operation", "outcome"],
        "calls to platforms: `ok`, an error's kind, or `dropped`",
    ),
    metric(
        PROVIDER_CALL_SECONDS,
        Kind::Histogram,
        &["platform", "operation"],
        "how long platforms take to answer",
    ),
];

/// A launch that was begun, whose outcome is `ok` or an error's code.
pub(crate) fn launched(provider: String, outcome: &'static str, took: Duration) {
    counter!(LAUNCHES, "provider" => provider.clone(), "outcome" => outcome).increment(1);
    if outcome == "ok" {
        histogram!(LAUNCH_SECONDS, "provider" => provider).record(took);
    }
}

/// The first event of a turn.
pub(crate) fn first_event(after: Duration) {
    histogram!(FIRST_EVENT_SECONDS).record(after);
}

/// Events that are kept now.
pub(crate) fn shown<'a>(records: impl Iterator<Item = &'a Arc<Record>>) {
    let mut kinds: BTreeMap<&'static str, u64> = BTreeMap::new();
    for record in records {
        *kinds.entry(record.event.body.kind()).or_default() += 1;
        if let EventBody::TurnEnded(end) = &record.event.body {
            turn_ended(end);
        }
    }
    for (kind, many) in kinds {
        counter!(EVENTS, "type" => kind).increment(many);
    }
}

fn turn_ended(end: &TurnEnd) {
    counter!(TURNS, "outcome" => outcome(&end.outcome)).increment(1);
    if end.duration_ms > 0 {
        histogram!(TURN_SECONDS).record(Duration::from_millis(end.duration_ms));
    }
    if end.models.is_empty() {
        used("unknown".into(), &end.usage, end.cost_usd);
    }
    for (model, used_by_it) in &end.models {
        used(models::name(model), &used_by_it.usage, used_by_it.cost_usd);
    }
}

fn outcome(outcome: &Outcome) -> SharedString {
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::Interrupted => "interrupted".into(),
        Outcome::Limit { .. } => "limit".into(),
        // The name that it has on the wire: one of a few.
        Outcome::Failed { reason, .. } => match serde_json::to_value(reason) {
            Ok(serde_json::Value::String(reason)) => reason.into(),
            _ => "other".into(),
        },
    }
}

/// A container says these numbers: an absurd one must not make the sum wrap.
const MOST: u64 = 1 << 40;

fn used(model: SharedString, usage: &Usage, cost_usd: Option<f64>) {
    let kinds = [
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("cache_read", usage.cache_read_tokens),
        ("cache_write", usage.cache_write_tokens),
    ];
    for (kind, tokens) in kinds.into_iter().filter(|(_, tokens)| *tokens > 0) {
        counter!(TOKENS, "model" => model.clone(), "kind" => kind).increment(tokens.min(MOST));
    }
    // What is negative or no number becomes 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let microdollars = (cost_usd.unwrap_or_default() * 1e6).round() as u64;
    if microdollars > 0 {
        counter!(COST, "model" => model).increment(microdollars.min(MOST));
    }
}

/// A commit of so many changes.
pub(crate) fn committed<T>(result: &Result<T, StoreError>, changes: usize, begun: Instant) {
    let outcome = match result {
        Ok(_) => "ok",
        Err(StoreError::Unavailable(_)) => "unavailable",
        Err(_) => "refused",
    };
    counter!(COMMITS, "outcome" => outcome).increment(1);
    histogram!(COMMIT_SECONDS).record(begun.elapsed());
    if result.is_ok() {
        counter!(CHANGES).increment(changes as u64);
    }
}

/// Counted as under way, by a gauge, until it is dropped.
#[derive(Debug)]
pub struct UnderWay(&'static str);

impl UnderWay {
    /// One more, by the gauge of this name.
    pub fn begins(gauge: &'static str) -> Self {
        gauge!(gauge).increment(1.0);
        Self(gauge)
    }

    /// Somebody reads a session's events.
    pub(crate) fn reading() -> Self {
        Self::begins(READERS)
    }

    /// An agent server is asked.
    pub(crate) fn asking() -> Self {
        Self::begins(ASKING)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}

/// Sets the gauges that are looked up rather than kept: call it before the numbers are read.
pub fn look(sessions: &Sessions) {
    let mut many: BTreeMap<(String, &'static str), u32> = BTreeMap::new();
    for (provider, _) in sessions.providers().iter() {
        // One that has none any more must say so.
        many.extend(Status::NAMES.iter().map(|status| ((provider.to_owned(), *status), 0)));
    }
    let (mut running, mut waiting) = (0, 0_u32);
    for session in sessions.list() {
        let info = session.info();
        *many.entry((info.provider, info.state.status.as_str())).or_default() += 1;
        running += u32::from(info.state.turn.is_some());
        waiting = waiting.saturating_add(u32::try_from(info.queued.len()).unwrap_or(u32::MAX));
    }
    for ((provider, status), many) in many {
        gauge!(SESSIONS, "provider" => provider, "status" => status).set(many);
    }
    gauge!(TURNS_RUNNING).set(running);
    gauge!(TURNS_WAITING).set(waiting);
    gauge!(WRITES_WAITING).set(u32::try_from(sessions.journal().waiting()).unwrap_or(u32::MAX));
    let connections = sessions.journal().store().connections();
    gauge!(CONNECTIONS, "state" => "used").set(connections.used);
    gauge!(CONNECTIONS, "state" => "idle").set(connections.idle);
    gauge!(CONNECTIONS_MAX).set(connections.most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_and_says_what_it_counts() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for Metric { name, kind, .. } in ALL {
            let (total, seconds) = (name.ends_with("_total"), name.ends_with("_seconds"));
            assert_eq!((total, seconds), (*kind == Kind::Counter, *kind == Kind::Histogram), "{name}");
        }
    }
}
