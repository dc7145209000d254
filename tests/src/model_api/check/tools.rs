//! The tools that a request offers.

use super::brief;
use serde_json::Value;
use std::collections::HashSet;

/// Names the client offers, in its order.
pub(in crate::model_api) fn names(body: &Value) -> impl Iterator<Item = &str> {
    body["tools"].as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str())
}

pub(super) fn check(body: &Value, wrong: &mut Vec<String>) {
    let tools = match &body["tools"] {
        Value::Null => &[][..],
        Value::Array(tools) => tools,
        other => {
            wrong.push(format!("tools: {} is not a list", brief(other)));
            return;
        }
    };
    let mut seen = HashSet::new();
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        if !is_name(name) {
            wrong.push(format!("tools.{index}.name: `{name}` is not 1 to 128 of A-Z a-z 0-9 _ -"));
        } else if !seen.insert(name) {
            wrong.push(format!("tools: tool names must be unique, `{name}` is there twice"));
        }
        match tool["type"].as_str() {
            // A tool of the client's own: it says what it takes.
            None | Some("custom") => {
                if tool["input_schema"]["type"] != "object" {
                    wrong.push(format!("tools.{index}.input_schema: a schema of type object is required"));
                }
            }
            // A tool of the vendor's, such as `web_search_20250305`.
            Some(_) => {}
        }
    }
    check_choice(&body["tool_choice"], &seen, wrong);
}

fn check_choice(choice: &Value, offered: &HashSet<&str>, wrong: &mut Vec<String>) {
    match choice["type"].as_str() {
        None if choice.is_null() => {}
        Some("auto" | "none") => {}
        Some("any") if !offered.is_empty() => {}
        Some("tool") if choice["name"].as_str().is_some_and(|name| offered.contains(name)) => {}
        _ => wrong.push(format!("tool_choice: {} is not possible with these tools", brief(choice))),
    }
}

fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
