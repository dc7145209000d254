//! What agents ask of people, as clients see it.

use agcluster_core::protocol::EventBody;
use agcluster_core::session::Approval;
use serde_json::{Map, Value, json};

/// An approval: what is asked, since when, and how it stands.
pub(crate) fn render(approval: &Approval) -> Value {
    let mut rendered = asked(&approval.record.event.body);
    rendered.extend([
        ("id".to_owned(), approval.name().into()),
        ("session_id".to_owned(), json!(approval.session)),
        ("turn_id".to_owned(), json!(approval.turn)),
        ("kind".to_owned(), json!(approval.kind)),
        ("parent_call_id".to_owned(), json!(approval.record.event.parent)),
        ("since".to_owned(), json!(approval.since)),
        ("expires_at".to_owned(), json!(approval.expires_at)),
        ("status".to_owned(), json!(approval.status)),
        ("answer".to_owned(), answer(approval)),
    ]);
    Value::Object(rendered)
}

/// The fields of the event that asks, without what only an event has.
fn asked(body: &EventBody) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(body) else { return Map::new() };
    fields.remove("type");
    fields
}

fn answer(approval: &Approval) -> Value {
    let Some(answer) = &approval.answer else { return Value::Null };
    let mut answer = json!(answer);
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("request_id");
    }
    answer["at"] = json!(approval.answered_at);
    answer
}
