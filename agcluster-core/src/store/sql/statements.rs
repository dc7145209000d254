//! How rows are written.

use super::{Bulk, Kind};

use Kind::{Blob, Int, Text};

pub(super) const SESSIONS: Bulk = Bulk {
    into: "sessions (key, id, record)",
    kinds: &[Int, Text, Text],
    conflict: "ON CONFLICT (key) DO UPDATE SET record = excluded.record",
};

pub(super) const HEADS: Bulk = Bulk {
    into: "heads (session, earliest, head, bytes, source_place, source_generation, source_seq)",
    kinds: &[Int; 7],
    conflict: "ON CONFLICT (session) DO UPDATE SET earliest = excluded.earliest, head = excluded.head, \
        bytes = excluded.bytes, source_place = excluded.source_place, \
        source_generation = excluded.source_generation, source_seq = excluded.source_seq",
};

/// An event that is there already would mean that the heads are wrong, so it is an error.
pub(super) const EVENTS: Bulk = Bulk {
    into: "events (session, seq, at, generation, source_seq, body)",
    kinds: &[Int, Int, Int, Int, Int, Blob],
    conflict: "",
};

/// The same where they are in the order in which they came.
pub(super) const RECENT_A: Bulk =
    Bulk { into: "recent_a (session, seq, at, generation, source_seq, body)", ..EVENTS };
pub(super) const RECENT_B: Bulk =
    Bulk { into: "recent_b (session, seq, at, generation, source_seq, body)", ..EVENTS };

pub(super) const DISCARDED: Bulk =
    Bulk { into: "discarded (session)", kinds: &[Int], conflict: "ON CONFLICT (session) DO NOTHING" };

pub(super) const TURNS: Bulk = Bulk {
    into: "turns (id, session, owner, open, record)",
    kinds: &[Blob, Int, Text, Int, Text],
    conflict: "ON CONFLICT (id) DO UPDATE SET session = excluded.session, owner = excluded.owner, \
        open = excluded.open, record = excluded.record",
};

pub(super) const TRANSCRIPT: Bulk = Bulk {
    into: "transcript (session, seq, chunk)",
    kinds: &[Int, Int, Text],
    conflict: "ON CONFLICT (session, seq) DO NOTHING",
};

pub(super) const CONFIGS: Bulk = Bulk {
    into: "configs (owner, id, record)",
    kinds: &[Text, Text, Text],
    conflict: "ON CONFLICT (owner, id) DO UPDATE SET record = excluded.record",
};

pub(super) const AUDIT: Bulk = Bulk {
    into: "audit (digest, owner, record)",
    kinds: &[Blob, Text, Text],
    conflict: "ON CONFLICT (digest) DO NOTHING",
};

pub(super) const META: Bulk = Bulk {
    into: "meta (key, value)",
    kinds: &[Text, Text],
    conflict: "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
};
