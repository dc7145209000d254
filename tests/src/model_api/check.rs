//! What the vendor would refuse: checks of one request.
//!
//! Each check gives sentences; no sentence means that the request is well formed.

mod headers;
mod messages;
#[cfg(test)]
mod tests;
mod tools;

pub(super) use headers::{KeyCheck, check_betas, check_headers, check_key, key_of};
pub(super) use tools::names as tool_names;

use serde_json::Value;

/// Which call the body belongs to: counting needs no `max_tokens` and knows no `stream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Messages,
    CountTokens,
}

/// Fields a request may have; the vendor refuses others.
const FIELDS: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "fallbacks",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Cache break points a request may have.
const MOST_CACHE_CONTROLS: usize = 4;

/// Everything that is wrong with a body.
pub(super) fn check_body(body: &Value, call: Call) -> Vec<String> {
    let Some(fields) = body.as_object() else { return vec!["the body is not a JSON object".to_owned()] };
    let mut wrong = Vec::new();
    for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        wrong.push(format!("{name}: extra inputs are not permitted"));
    }
    if body["model"].as_str().is_none_or(|model| model.trim().is_empty()) {
        wrong.push("model: a non-empty string is required".to_owned());
    }
    if call == Call::Messages && body["max_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
        wrong.push("max_tokens: a positive whole number is required".to_owned());
    }
    check_options(body, &mut wrong);
    check_system(&body["system"], &mut wrong);
    tools::check(body, &mut wrong);
    messages::check(&body["messages"], &mut wrong);
    let marks = count_cache_controls(body);
    if marks > MOST_CACHE_CONTROLS {
        wrong.push(format!("cache_control: {marks} blocks have it, at most {MOST_CACHE_CONTROLS} may"));
    }
    wrong
}

fn check_options(body: &Value, wrong: &mut Vec<String>) {
    let fields = [
        ("stream", body["stream"].is_boolean()),
        ("temperature", body["temperature"].as_f64().is_some_and(|value| (0.0..=1.0).contains(&value))),
        ("metadata", body["metadata"].is_object()),
        ("stop_sequences", body["stop_sequences"].is_array()),
        ("output_config", body["output_config"].is_object()),
        ("context_management", body["context_management"].is_object()),
    ];
    for (name, right) in fields {
        if !body[name].is_null() && !right {
            wrong.push(format!("{name}: {} is not allowed", brief(&body[name])));
        }
    }
    let thinking = &body["thinking"];
    match thinking["type"].as_str() {
        None if thinking.is_null() => {}
        Some("adaptive" | "disabled") => {}
        Some("enabled") => {
            let budget = thinking["budget_tokens"].as_u64().unwrap_or(0);
            if budget < 1024 {
                wrong.push("thinking.budget_tokens: at least 1024 is required".to_owned());
            }
            if body["max_tokens"].as_u64().is_some_and(|most| most <= budget) {
                wrong.push("max_tokens: must be greater than thinking.budget_tokens".to_owned());
            }
        }
        _ => wrong.push(format!("thinking: {} is not allowed", brief(thinking))),
    }
}

fn check_system(system: &Value, wrong: &mut Vec<String>) {
    match system {
        Value::Null | Value::String(_) => {}
        Value::Array(blocks) => {
            for (index, block) in blocks.iter().enumerate() {
                if block["type"] != "text" || block["text"].as_str().is_none_or(str::is_empty) {
                    wrong.push(format!("system.{index}: a non-empty text block is required"));
                }
            }
        }
        other => wrong.push(format!("system: {} is neither text nor text blocks", brief(other))),
    }
}

fn count_cache_controls(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_cache_controls).sum(),
        Value::Object(fields) => {
            let mine = usize::from(fields.get("cache_control").is_some_and(Value::is_object));
            // What is below `input` is the model's own and marks nothing.
            let below = fields.iter().filter(|(name, _)| *name != "input" && *name != "input_schema");
            mine + below.map(|(_, value)| count_cache_controls(value)).sum::<usize>()
        }
        _ => 0,
    }
}

/// A value in a sentence, cut short.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
