//! Nothing that the program says is lost.

use std::path::Path;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::translate::{Said, Translator};
use super::{conversation_of, transcripts};

/// Lines that become no event: what they say is said by turns, requests, finished blocks and answers.
fn is_dropped(line: &Value) -> bool {
    let delta = &line["event"]["delta"];
    match (line["type"].as_str(), line["subtype"].as_str(), line["event"]["type"].as_str()) {
        (Some("command_lifecycle" | "control_response"), _, _) => true,
        (Some("system"), Some("session_state_changed"), _) => true,
        (Some("stream_event"), _, Some("content_block_start")) => {
            line["event"]["content_block"]["type"] != "tool_use"
        }
        (Some("stream_event"), _, Some("content_block_stop")) => true,
        (Some("stream_event"), _, Some("message_stop")) => line["abandoned_blocks"].is_null(),
        (Some("stream_event"), _, Some("content_block_delta")) => {
            delta["type"] == "signature_delta" || delta["partial_json"] == ""
        }
        _ => false,
    }
}

/// Fields that the event's own type, turn or number says.
fn is_said_otherwise(line: &Value, path: &str, value: &Value, conversation: &str) -> bool {
    let streamed = line["type"] == "stream_event";
    match path {
        "/type"
        | "/event/type"
        | "/event/delta/type"
        | "/event/content_block/type"
        | "/event/message/type" => true,
        "/message/type" => true,
        "/message/role" => line["type"] == "user" && value == "user",
        "/subtype" | "/request/subtype" => line["type"] != "result",
        "/session_id" => value == conversation,
        "/uuid" | "/api_message_id" => streamed,
        // The turn's last words are shown as such only when they are the model's.
        _ => path.starts_with("/message/content/") && path.ends_with("/type"),
    }
}

/// Every string, number and truth value, with its path. A null says what absence says.
fn leaves(value: &Value, path: String, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                leaves(item, format!("{path}/{nth}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                leaves(field, format!("{path}/{name}"), found);
            }
        }
        scalar => found.push((path, scalar.clone())),
    }
}

fn count(value: &Value, counts: &mut HashMap<String, usize>) {
    let mut found = Vec::new();
    leaves(value, String::new(), &mut found);
    for (_, scalar) in found {
        *counts.entry(scalar.to_string()).or_default() += 1;
    }
}

fn said_as_json(said: &Said) -> Value {
    match said {
        Said::Event(entry) => json!([entry.parent, entry.extra, entry.body]),
        Said::Ends(ended) => json!([ended.end, ended.extra]),
        Said::Asks { request_id, request } => json!([request_id, request]),
        Said::AsksNoMore { request_id } => json!(request_id),
        _ => Value::Null,
    }
}

#[test]
fn whatever_stands_in_a_line_stands_in_its_events() {
    for (name, lines) in transcripts() {
        let mut translator = Translator::new(conversation_of(&lines), Path::new("/home/agent"));
        for line in &lines {
            let value: Value = serde_json::from_str(line).unwrap();
            let conversation = translator.conversation().to_owned();
            let said = translator.translate(value.as_object().unwrap().clone());
            if is_dropped(&value) {
                let events = said.iter().filter(|said| matches!(said, Said::Event(_))).count();
                assert_eq!(events, 0, "{name}: {line}");
                continue;
            }
            let mut there = HashMap::new();
            for said in &said {
                count(&said_as_json(said), &mut there);
            }
            let mut wanted = Vec::new();
            leaves(&value, String::new(), &mut wanted);
            for (path, scalar) in wanted {
                if is_said_otherwise(&value, &path, &scalar, &conversation) {
                    continue;
                }
                let left = there.get_mut(&scalar.to_string()).filter(|left| **left > 0);
                let left = left.unwrap_or_else(|| panic!("{name}: {path} = {scalar} is lost from {line}"));
                *left -= 1;
            }
        }
    }
}

#[test]
fn a_request_for_leave_is_passed_on_whole() {
    let request = json!({
        "subtype": "can_use_tool", "tool_name": "Bash", "display_name": "Bash", "input": {"command": "touch x"},
        "tool_use_id": "toolu_1", "permission_suggestions": [{"type": "setMode", "mode": "acceptEdits"}],
        "blocked_path": "/x", "decision_reason": "outside", "decision_reason_type": "rule", "agent_id": "a1",
    });
    let (_, entry) = super::super::ask::Ask::read("r1", request.as_object().unwrap().clone());
    let mut there = HashMap::new();
    count(&json!([entry.extra, entry.body]), &mut there);
    let mut wanted = Vec::new();
    leaves(&request, String::new(), &mut wanted);
    for (path, scalar) in wanted.into_iter().filter(|(path, _)| path != "/subtype") {
        assert!(there.contains_key(&scalar.to_string()), "{path} = {scalar} is lost");
    }
}
