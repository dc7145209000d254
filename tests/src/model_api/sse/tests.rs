//! The events of an answer.

use super::*;
use crate::model_api::script::ToolCall;

fn message(reply: &Reply) -> Message {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
    Message::new(&Ids::new(), &body, reply)
}

fn events(reply: &Reply) -> Vec<Value> {
    let sent = frames(&message(reply), reply).into_iter().filter_map(|frame| match frame {
        Frame::Send(bytes) => Some(bytes),
        _ => None,
    });
    sent.map(|bytes| {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let (name, data) =
            text.strip_suffix("\n\n").and_then(|text| text.split_once("\ndata: ")).expect("an event");
        let data: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        data
    })
    .collect()
}

fn joined(events: &[Value], field: &str) -> String {
    events.iter().filter_map(|event| event["delta"][field].as_str()).collect()
}

#[test]
fn a_text_has_every_event_in_order() {
    let events = events(&Reply::text("a text of more than sixteen characters"));
    let kinds: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let delta = "content_block_delta";
    let start = ["message_start", "content_block_start", "ping", delta, delta, delta];
    assert_eq!(kinds, [&start[..], &["content_block_stop", "message_delta", "message_stop"]].concat());
    assert_eq!(joined(&events, "text"), "a text of more than sixteen characters");
    assert_eq!(events[0]["message"]["usage"]["output_tokens"], 1);
    assert_eq!(events[7]["delta"]["stop_reason"], "end_turn");
    assert_eq!(events[7]["usage"]["output_tokens"], 10);
}

#[test]
fn the_input_of_a_tool_comes_in_pieces() {
    let input = json!({"command": "echo äöü > a-file-with-a-long-name"});
    let call = ToolCall { name: "Bash".to_owned(), input: input.clone() };
    let events = events(&Reply::of(vec![Block::Tool(call)]));
    let pieces = events.iter().filter(|event| event["delta"]["type"] == "input_json_delta").count();
    assert!(pieces > 2, "{pieces} pieces");
    assert_eq!(serde_json::from_str::<Value>(&joined(&events, "partial_json")).expect("JSON"), input);
    assert_eq!(events[1]["content_block"]["input"], json!({}));
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn a_thought_is_signed() {
    let events =
        events(&Reply::of(vec![Block::Thinking("hm, hm".to_owned()), Block::Text("yes".to_owned())]));
    assert_eq!(joined(&events, "thinking"), "hm, hm");
    assert_eq!(joined(&events, "signature"), signature("hm, hm"));
    assert_eq!(joined(&events, "text"), "yes");
}

#[test]
fn the_streamed_and_the_whole_answer_agree() {
    let call = ToolCall { name: "A".to_owned(), input: json!({"x": 1}) };
    let reply = Reply::of(vec![Block::Text("x".to_owned()), Block::Tool(call)]);
    let whole = whole(&message(&reply), &reply);
    assert_eq!(whole["stop_reason"], "tool_use");
    assert_eq!(whole["content"][0], json!({"type": "text", "text": "x"}));
    assert_eq!(whole["content"][1]["input"], json!({"x": 1}));
    let events = events(&reply);
    assert_eq!(events[events.len() - 2]["usage"], whole["usage"]);
}

#[test]
fn paces_wait_where_they_should() {
    let kinds = |pace: Pace| {
        let reply = Reply::paced("ab".to_owned(), pace);
        let all = frames(&message(&reply), &reply).into_iter().skip(3);
        let is_delta = |bytes: &Bytes| bytes.starts_with(b"event: content_block_delta");
        all.filter(|frame| !matches!(frame, Frame::Send(bytes) if !is_delta(bytes)))
            .map(|frame| match frame {
                Frame::Send(_) => "delta".to_owned(),
                Frame::SendOften(_, times) => format!("delta x {times}"),
                Frame::Wait(time) => format!("{time:?}"),
                Frame::Gate(name) => format!("gate {name}"),
                Frame::Hang => "hang".to_owned(),
                Frame::Break => "break".to_owned(),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(Pace::Gate("g".to_owned())), ["delta", "gate g", "delta"]);
    assert_eq!(kinds(Pace::Cut(None)), ["delta", "break", "delta"]);
    assert_eq!(kinds(Pace::Cut(Some("g".to_owned()))), ["delta", "gate g", "break", "delta"]);
    assert_eq!(kinds(Pace::Repeat(9)), ["delta x 9"]);
    assert_eq!(kinds(Pace::Hang), ["hang"]);
    let over = Duration::from_secs(2);
    assert_eq!(kinds(Pace::Spread { over, pieces: 2 }), ["delta", "1s", "delta", "1s"]);
    // A text has no more pieces than characters.
    assert_eq!(kinds(Pace::Spread { over, pieces: 50 }), ["delta", "1s", "delta", "1s"]);
}

#[test]
fn pieces_are_cut_between_characters() {
    assert_eq!(split_evenly("äöü", 2), ["ä", "öü"]);
    assert_eq!(split_evenly("", 0), Vec::<String>::new());
    assert_eq!(split("äöü", 16), ["äöü"]);
}
