//! What is refused, and what is not.

use super::*;
use crate::model_api::id::signature;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::json;

fn body() -> Value {
    json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 1000,
        "stream": true,
        "system": [{"type": "text", "text": "Be brief."}],
        "thinking": {"type": "adaptive"},
        "metadata": {"user_id": "{}"},
        "tools": [{"name": "Bash", "description": "Run", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "hello"}],
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut body = body();
    change(&mut body);
    check_body(&body, Call::Messages)
}

fn with_messages(messages: Value) -> Vec<String> {
    with(|body| body["messages"] = messages)
}

#[track_caller]
fn refused(wrong: &[String], part: &str) {
    assert!(wrong.iter().any(|sentence| sentence.contains(part)), "no `{part}` in {wrong:?}");
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": "true"}})
}

fn result(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "done"})
}

#[test]
fn a_conversation_as_claude_code_sends_it_is_well_formed() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": signature("hm")});
    let wrong = with_messages(json!([
        {"role": "user", "content": [{"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "the date has changed"},
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "two"}, call("a"), call("b")]},
        {"role": "user", "content": [result("a"), {"type": "tool_result", "tool_use_id": "b", "is_error": true,
            "content": [{"type": "text", "text": "no"}]}, {"type": "text", "text": "and then?"}]},
        {"role": "assistant", "content": "well"},
        {"role": "user", "content": "more"},
    ]));
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn results_may_come_in_several_messages_of_the_user() {
    let wrong = with_messages(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [call("a")]},
        {"role": "assistant", "content": [call("b")]},
        {"role": "user", "content": [result("b")]},
        {"role": "user", "content": [result("a")]},
    ]));
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_frame_of_a_body() {
    refused(&check_body(&json!([]), Call::Messages), "not a JSON object");
    refused(&with(|body| body["model"] = json!(" ")), "model:");
    refused(&with(|body| body["max_tokens"] = json!(0)), "max_tokens:");
    refused(&with(|body| body["max_token"] = json!(1)), "max_token: extra inputs");
    refused(&with(|body| body["stream"] = json!("yes")), "stream:");
    refused(&with(|body| body["temperature"] = json!(2)), "temperature:");
    refused(&with(|body| body["system"] = json!([{"type": "text", "text": ""}])), "system.0:");
    refused(&with(|body| body["system"] = json!(5)), "system:");
    refused(&with(|body| body["thinking"] = json!({"type": "much"})), "thinking:");
    refused(
        &with(|body| body["thinking"] = json!({"type": "enabled", "budget_tokens": 9})),
        "budget_tokens:",
    );
    let budget = json!({"type": "enabled", "budget_tokens": 2000});
    refused(&with(|body| body["thinking"] = budget), "must be greater than thinking.budget_tokens");
}

#[test]
fn counting_needs_no_limit() {
    let mut body = body();
    body.as_object_mut().expect("an object").remove("max_tokens");
    assert_eq!(check_body(&body, Call::CountTokens), Vec::<String>::new());
    refused(&check_body(&body, Call::Messages), "max_tokens:");
}

#[test]
fn tools() {
    let schema = json!({"type": "object"});
    let tool = |name: &str| json!({"name": name, "input_schema": schema});
    refused(&with(|body| body["tools"] = json!({})), "tools:");
    refused(&with(|body| body["tools"] = json!([tool("a b")])), "tools.0.name:");
    refused(&with(|body| body["tools"] = json!([tool("A"), tool("A")])), "unique");
    refused(&with(|body| body["tools"] = json!([{"name": "A"}])), "tools.0.input_schema:");
    let vendors = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    assert_eq!(with(|body| body["tools"] = vendors), Vec::<String>::new());
    refused(&with(|body| body["tool_choice"] = json!({"type": "tool", "name": "Read"})), "tool_choice:");
    assert_eq!(with(|body| body["tool_choice"] = json!({"type": "any"})), Vec::<String>::new());
}

#[test]
fn messages() {
    refused(&with_messages(json!([])), "at least one");
    refused(&with_messages(json!([{"role": "assistant", "content": "hi"}])), "first message");
    refused(&with_messages(json!([{"role": "tool", "content": "hi"}])), "is not a role");
    refused(&with_messages(json!([{"role": "user", "content": " "}])), "neither text nor blocks");
    refused(&with_messages(json!([{"role": "user", "content": []}])), "neither text nor blocks");
    let blocks = |block: Value| with_messages(json!([{"role": "user", "content": [block]}]));
    refused(&blocks(json!({"type": "text", "text": "\n"})), "non-whitespace");
    refused(&blocks(json!({"type": "thinking", "thinking": "x"})), "`thinking` is not allowed here");
    refused(&blocks(json!({"type": "image"})), "a source is required");
    refused(&blocks(json!({"type": "tool_result", "tool_use_id": ""})), "needs tool_use_id");
}

#[test]
fn every_call_is_answered_once_and_at_once() {
    let ask = json!({"role": "user", "content": "go"});
    let assistant = |blocks: Value| json!({"role": "assistant", "content": blocks});
    let user = |blocks: Value| json!({"role": "user", "content": blocks});
    let calls = assistant(json!([call("a"), call("b")]));
    refused(
        &with_messages(json!([ask, calls])),
        "found without `tool_result` blocks immediately after: a, b",
    );
    refused(&with_messages(json!([ask, calls, user(json!([result("a")]))])), "immediately after: b");
    let late =
        json!([ask, calls, user(json!([result("a")])), assistant(json!("x")), user(json!([result("b")]))]);
    refused(&with_messages(late), "unexpected `tool_use_id` b");
    let twice = user(json!([result("a"), result("b"), result("a")]));
    refused(&with_messages(json!([ask, calls, twice])), "a has two `tool_result` blocks");
    refused(&with_messages(json!([ask, user(json!([result("z")]))])), "unexpected `tool_use_id` z");
    let behind = user(json!([{"type": "text", "text": "x"}, result("a"), result("b")]));
    refused(&with_messages(json!([ask, calls, behind])), "must come first");
    let same = assistant(json!([call("a"), call("a")]));
    refused(&with_messages(json!([ask, same, user(json!([result("a")]))])), "must be unique");
}

#[test]
fn a_thought_comes_back_as_it_was_signed() {
    let thought = |signature: &str| {
        let block = json!({"type": "thinking", "thinking": "hm", "signature": signature});
        with_messages(json!([{"role": "user", "content": "go"}, {"role": "assistant", "content": [block]}]))
    };
    assert_eq!(thought(&signature("hm")), Vec::<String>::new());
    refused(&thought(&signature("hm!")), "invalid `signature`");
}

#[test]
fn cache_break_points_are_counted_but_not_in_inputs() {
    let mark = json!({"type": "ephemeral"});
    let marked = json!({"type": "text", "text": "x", "cache_control": mark});
    let four = json!([marked, marked, marked, marked]);
    assert_eq!(with_messages(json!([{"role": "user", "content": four}])), Vec::<String>::new());
    refused(
        &with(|body| {
            body["system"] = json!([marked]);
            body["messages"] = json!([{"role": "user", "content": four}]);
        }),
        "5 blocks have it",
    );
    let mut odd = call("a");
    odd["input"] = json!({"cache_control": mark});
    let turn = json!([{"role": "user", "content": four}, {"role": "assistant", "content": [odd]},
        {"role": "user", "content": [result("a")]}]);
    assert_eq!(with_messages(turn), Vec::<String>::new());
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn headers_are_checked() {
    let right =
        headers(&[("anthropic-version", "2023-06-01"), ("content-type", "application/json; charset=utf-8")]);
    assert_eq!(check_headers(&right), Vec::<String>::new());
    let wrong = check_headers(&headers(&[("content-type", "text/plain")]));
    refused(&wrong, "anthropic-version:");
    refused(&wrong, "content-type:");
}

#[test]
fn a_beta_feature_needs_its_header() {
    let body = json!({"context_management": {"edits": []}});
    let named = headers(&[("anthropic-beta", "a-1,context-management-2025-06-27")]);
    assert_eq!(check_betas(&named, &body), Vec::<String>::new());
    refused(&check_betas(&headers(&[("anthropic-beta", "a-1")]), &body), "context_management:");
    assert_eq!(check_betas(&HeaderMap::new(), &json!({})), Vec::<String>::new());
}

#[test]
fn keys_come_in_either_header() {
    let accepted = ["good".to_owned()];
    let check = |pairs: &[(&'static str, &'static str)]| check_key(&headers(pairs), &accepted);
    assert_eq!(check(&[("x-api-key", "good")]), KeyCheck::Accepted);
    assert_eq!(check(&[("authorization", "Bearer good")]), KeyCheck::Accepted);
    assert_eq!(check(&[("x-api-key", "bad")]), KeyCheck::Wrong);
    assert_eq!(check(&[("authorization", "Basic good")]), KeyCheck::Missing);
    assert_eq!(check(&[("x-api-key", "")]), KeyCheck::Missing);
    assert_eq!(check_key(&headers(&[("x-api-key", "any")]), &[]), KeyCheck::Accepted);
    assert_eq!(check_key(&HeaderMap::new(), &[]), KeyCheck::Missing);
}
