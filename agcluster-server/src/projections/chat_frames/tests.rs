use agcluster_core::journal::Entry;
use agcluster_core::protocol::event::TodoStatus;
use agcluster_core::protocol::{FailureReason, Limit, TurnId};

use super::*;

fn rendered(body: EventBody, parent: Option<&str>) -> Vec<Value> {
    let mut entry = Entry::own(1, Some(TurnId::generate()), body);
    entry.event.at = "2026-01-02T03:04:05Z".parse().unwrap();
    entry.event.parent = parent.map(str::to_owned);
    let frames = frames(&Record::new(7, entry)).plain();
    let text = std::str::from_utf8(&frames).unwrap();
    assert!(text.ends_with("\n\n"));
    let data =
        |frame: &str| frame.lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    let values = text.trim_end().split("\n\n").map(data);
    values
        .map(|data| if data == "[DONE]" { json!("[DONE]") } else { serde_json::from_str(&data).unwrap() })
        .collect()
}

#[test]
fn blocks_have_the_shapes_that_clients_know() {
    let text = rendered(EventBody::Text { message_id: None, text: "hi".into() }, None);
    let expected = json!({ "type": "message", "msg_type": "content", "data": { "type": "content", "role": "assistant", "content": "hi" } });
    assert_eq!(text, [expected]);

    let call = EventBody::ToolCall {
        message_id: None,
        call_id: "t1".into(),
        name: "Bash".into(),
        input: json!({ "command": "ls" }),
    };
    let data = &rendered(call, None)[0]["data"];
    assert_eq!(data["type"], "tool_use");
    assert_eq!(data["tool_name"], "Bash");
    assert_eq!(data["content"], "Using tool: Bash");
    assert_eq!(data["status"], "started");

    let result = EventBody::ToolResult {
        call_id: "t1".into(),
        is_error: false,
        content: json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]),
        structured: None,
    };
    let data = &rendered(result, None)[0]["data"];
    assert_eq!(data["type"], "tool_complete");
    assert_eq!(data["tool_name"], "t1");
    assert_eq!(data["output"], "a\nb");
}

#[test]
fn todos_have_every_field() {
    let items = vec![TodoItem { content: "Write".into(), status: TodoStatus::Pending, active_form: None }];
    let data = &rendered(EventBody::Todo { items }, None)[0]["data"];
    assert_eq!(data["todos"], json!([{ "content": "Write", "status": "pending", "activeForm": "Write" }]));
}

#[test]
fn what_has_no_shape_of_its_own_is_passed_on_under_its_own_name() {
    let retry =
        EventBody::Retry { attempt: 1, max_attempts: 3, delay_ms: 5, status: Some(529), reason: None };
    let frame = &rendered(retry, None)[0];
    assert_eq!(frame["msg_type"], "retry");
    assert_eq!(frame["data"]["status"], 529);
}

#[test]
fn what_a_sub_agent_does_names_its_parent() {
    let frame = &rendered(EventBody::Text { message_id: None, text: "hi".into() }, Some("toolu_1"))[0];
    assert_eq!(frame["data"]["parent_tool_use_id"], "toolu_1");
}

#[test]
fn a_turn_ends_with_metadata_one_terminal_frame_and_done() {
    let ended = |outcome| {
        let mut end = TurnEnd::bare(outcome);
        end.usage = Usage { input_tokens: 1, output_tokens: 2, cache_read_tokens: 3, cache_write_tokens: 4 };
        rendered(EventBody::TurnEnded(end), None)
    };
    let frames = ended(Outcome::Completed);
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[0]["msg_type"], "metadata");
    assert_eq!(frames[0]["data"]["usage"]["total_tokens"], 10);
    assert_eq!(frames[1], json!({ "type": "complete", "status": "success" }));
    assert_eq!(frames[2], json!("[DONE]"));
    assert_eq!(ended(Outcome::Interrupted)[1]["status"], "interrupted");
    assert_eq!(ended(Outcome::Limit { which: Limit::MaxTurns })[1]["limit"], "max_turns");
    let failed = Outcome::Failed { reason: FailureReason::AgentExited, message: "it crashed".into() };
    assert_eq!(ended(failed)[1], json!({ "type": "error", "message": "it crashed", "code": "agent_exited" }));
}
