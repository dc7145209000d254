//! A turn for tests: it thinks, speaks, runs a tool and a sub-agent, speaks again.

use agcluster_core::protocol::{Event, EventBody, FailureReason, Outcome, TurnEnd, TurnId, Usage};
use serde_json::json;

use super::stream::Projection;

/// The name of the turn.
pub(crate) fn turn() -> TurnId {
    TurnId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap())
}

fn event(parent: Option<&str>, body: EventBody) -> Event {
    Event {
        seq: 0,
        generation: 1,
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        turn: Some(turn()),
        parent: parent.map(str::to_owned),
        extra: serde_json::Map::new(),
        body,
    }
}

fn begins() -> EventBody {
    EventBody::MessageStarted { message_id: "m".into(), model: None, usage: Usage::default() }
}

fn says(text: &str) -> EventBody {
    EventBody::TextDelta { block: 0, text: text.into() }
}

fn said(text: &str) -> EventBody {
    EventBody::Text { message_id: None, text: text.into() }
}

/// The last event of a turn.
pub(crate) fn end(outcome: Outcome) -> Event {
    let usage = Usage { input_tokens: 10, output_tokens: 20, cache_read_tokens: 3, cache_write_tokens: 4 };
    event(None, EventBody::TurnEnded(TurnEnd { usage, ..TurnEnd::bare(outcome) }))
}

/// The last event of a turn that failed.
pub(crate) fn failure() -> Event {
    end(Outcome::Failed { reason: FailureReason::AgentExited, message: "it crashed".into() })
}

/// A whole turn but for its end.
pub(crate) fn events() -> Vec<Event> {
    let call = |name: &str, input| EventBody::ToolCall {
        message_id: None,
        call_id: "c".into(),
        name: name.into(),
        input,
    };
    let result = |is_error, content| EventBody::ToolResult {
        call_id: "c".into(),
        is_error,
        content,
        structured: None,
    };
    let thinking =
        EventBody::Thinking { message_id: None, text: "Let me see.".into(), signature: Some("proof".into()) };
    vec![
        event(None, begins()),
        event(None, EventBody::ThinkingDelta { block: 0, text: "Let me ".into() }),
        event(None, EventBody::ThinkingDelta { block: 0, text: "see.".into() }),
        event(None, thinking),
        event(None, says("I ")),
        event(None, says("look.")),
        event(None, said("I look.")),
        event(None, call("Bash", json!({ "command": "ls", "description": "List files" }))),
        event(None, result(false, json!("a.txt\nb.txt"))),
        event(None, call("Read", json!({ "offset": 1 }))),
        event(None, result(true, json!([{ "type": "text", "text": "no such file" }]))),
        event(Some("t"), says("hidden")),
        event(Some("t"), said("hidden")),
        event(Some("t"), call("Grep", json!({ "pattern": "x" }))),
        event(None, begins()),
        // A text without deltas, and one that is begun again after a broken connection.
        event(None, said("Two files.")),
        event(None, says("Do")),
        event(None, begins()),
        event(None, says("Done.")),
        event(None, said("Done.")),
    ]
}

/// Everything that a projection makes of a turn.
pub(crate) fn frames(mut projection: impl Projection, end: &Event) -> String {
    let mut frames = projection.begin().plain().to_vec();
    for event in events().iter().chain([end]) {
        frames.extend_from_slice(&projection.read(event).plain());
    }
    String::from_utf8(frames).unwrap()
}

/// An event as it stands in a journal.
pub(crate) fn record(event: Event) -> std::sync::Arc<agcluster_core::journal::Record> {
    use agcluster_core::journal::{Entry, Record};
    std::sync::Arc::new(Record::new(1, Entry { source_seq: None, event }))
}
