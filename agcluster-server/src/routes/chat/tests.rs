use axum::http::HeaderValue;
use serde_json::json;

use super::*;

fn accepts(accept: &'static str) -> bool {
    wants_stream(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
}

#[test]
fn a_stream_is_sent_unless_the_client_takes_none() {
    assert!(wants_stream(&HeaderMap::new()));
    assert!(accepts("text/event-stream"));
    assert!(accepts("*/*"));
    assert!(accepts("application/json, Text/Event-Stream;q=0.5"));
    assert!(!accepts("application/json"));
    assert!(!accepts("text/html"));
}

fn read(body: serde_json::Value) -> Result<Vec<PromptBlock>, Problem> {
    prompt(serde_json::from_value(body).unwrap())
}

#[test]
fn the_last_user_message_is_the_prompt() {
    let body = json!({ "messages": [
        { "role": "system", "content": "be kind" },
        { "role": "user", "content": "first" },
        { "role": "user", "content": "second", "name": "someone" },
        { "role": "assistant", "content": "hm" },
    ]});
    assert_eq!(read(body).unwrap(), [PromptBlock::text("second")]);
    assert_eq!(read(json!({ "message": "alone" })).unwrap(), [PromptBlock::text("alone")]);
}

/// The beginning of a picture.
const PNG: &str = "iVBORw0KGgo=";

#[test]
fn pictures_are_parts_of_a_prompt() {
    let body = json!({ "message": [
        { "type": "text", "text": "what is this?" },
        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": PNG } },
    ]});
    let image = PromptBlock::Image { media_type: "image/png".into(), data: PNG.into() };
    assert_eq!(read(body).unwrap(), [PromptBlock::text("what is this?"), image]);
}

#[test]
fn a_picture_that_is_none_is_refused_with_its_place() {
    let picture = |kind: &str, data: &str| {
        let source = json!({ "type": "base64", "media_type": kind, "data": data });
        json!([{ "type": "text", "text": "x" }, { "type": "image", "source": source }])
    };
    for (kind, data, code) in [
        ("image/png", "no base64!", "image_invalid"),
        ("image/png", "aGk=", "image_invalid"),
        ("image/jpeg", PNG, "image_invalid"),
        ("image/tiff", PNG, "image_type_unsupported"),
    ] {
        let problem = read(json!({ "message": picture(kind, data) })).unwrap_err();
        assert_eq!((problem.code, &*problem.errors[0].field), (code, "message[1]"), "{kind} {data}");
        let said =
            json!([{ "role": "system", "content": "x" }, { "role": "user", "content": picture(kind, data) }]);
        let problem = read(json!({ "messages": said })).unwrap_err();
        assert_eq!((problem.code, &*problem.errors[0].field), (code, "messages[1].content[1]"));
    }
}

#[test]
fn a_prompt_without_words_is_refused() {
    for body in [
        json!({}),
        json!({ "messages": [] }),
        json!({ "message": "  " }),
        json!({ "message": [] }),
        json!({ "messages": [{ "role": "system", "content": "x" }] }),
    ] {
        let problem = read(body.clone()).unwrap_err();
        assert_eq!(problem.code, "no_user_message", "{body}");
    }
}

#[test]
fn both_spellings_of_the_session_count() {
    for name in ["sessionId", "session_id"] {
        let request: ChatRequest = serde_json::from_value(json!({ name: "conv-1" })).unwrap();
        assert_eq!(request.session_id.as_deref(), Some("conv-1"));
    }
}

#[test]
fn a_message_waits_or_steers_but_not_both() {
    let read = |body: serde_json::Value| when_busy(&serde_json::from_value(body).unwrap());
    assert_eq!(read(json!({})).unwrap(), WhenBusy::Refuse);
    assert_eq!(read(json!({ "queue": true })).unwrap(), WhenBusy::Queue);
    assert_eq!(read(json!({ "steer": true, "queue": false })).unwrap(), WhenBusy::Steer);
    assert_eq!(read(json!({ "steer": true, "queue": true })).unwrap_err().code, "queue_and_steer");
}
