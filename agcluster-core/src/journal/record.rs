//! What a journal keeps.

use std::sync::OnceLock;

use agcluster_protocol::{Event, EventBody, TurnId};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Map;

/// What most events fit in while they are rendered; kept, each is as long as it is.
const DRAFT: usize = 512;

/// Something to append.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The agent server's own number, for an event that came from one.
    pub source_seq: Option<u64>,
    /// The event; its `seq` becomes the journal's.
    pub event: Event,
}

impl Entry {
    /// An event as an agent server sent it.
    pub fn from_agent(event: Event) -> Self {
        Self { source_seq: Some(event.seq), event }
    }

    /// An event of the control plane's own.
    pub fn own(generation: u32, turn: Option<TurnId>, body: EventBody) -> Self {
        let event =
            Event { seq: 0, generation, at: Timestamp::now(), turn, parent: None, extra: Map::new(), body };
        Self { source_seq: None, event }
    }
}

/// Something that was appended.
#[derive(Debug)]
pub struct Record {
    /// The agent server's own number, for an event that came from one.
    pub source_seq: Option<u64>,
    /// The event; its `seq` is its place in the journal.
    pub event: Event,
    json: OnceLock<Bytes>,
}

impl Record {
    /// An entry that got its number.
    pub fn new(seq: u64, entry: Entry) -> Self {
        let Entry { source_seq, mut event } = entry;
        event.seq = seq;
        Self { source_seq, event, json: OnceLock::new() }
    }

    /// An event back from its JSON, which is kept as it is.
    ///
    /// # Errors
    /// When it is not the JSON of an event.
    pub fn from_json(source_seq: Option<u64>, json: Bytes) -> serde_json::Result<Self> {
        let event = serde_json::from_slice(&json)?;
        Ok(Self { source_seq, event, json: OnceLock::from(json) })
    }

    /// Its place in the journal.
    pub fn seq(&self) -> u64 {
        self.event.seq
    }

    /// The event as JSON, rendered once for all readers.
    pub fn json(&self) -> Bytes {
        self.json
            .get_or_init(|| {
                let mut json = Vec::with_capacity(DRAFT);
                match serde_json::to_writer(&mut json, &self.event) {
                    Ok(()) => Bytes::copy_from_slice(&json),
                    Err(_) => unreachable!("an event has string keys only, so it always renders"),
                }
            })
            .clone()
    }
}
