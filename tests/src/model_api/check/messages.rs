//! The conversation: roles, blocks, and that every tool call is answered.

use super::brief;
use crate::model_api::id::signature;
use serde_json::Value;

const USER_BLOCKS: &[&str] = &["text", "image", "document", "tool_result", "search_result"];
const ASSISTANT_BLOCKS: &[&str] = &["text", "thinking", "redacted_thinking", "tool_use"];
const SYSTEM_BLOCKS: &[&str] = &["text"];
const RESULT_BLOCKS: &[&str] = &["text", "image", "document", "search_result", "tool_reference"];

pub(super) fn check(messages: &Value, wrong: &mut Vec<String>) {
    let Some(messages) = messages.as_array().filter(|messages| !messages.is_empty()) else {
        wrong.push("messages: at least one message is required".to_owned());
        return;
    };
    for (index, message) in messages.iter().enumerate() {
        check_message(index, message, wrong);
    }
    if messages[0]["role"] != "user" {
        wrong.push("messages: first message must use the user role".to_owned());
    }
    check_pairs(messages, wrong);
}

fn check_message(index: usize, message: &Value, wrong: &mut Vec<String>) {
    let known = match message["role"].as_str() {
        Some("user") => USER_BLOCKS,
        Some("assistant") => ASSISTANT_BLOCKS,
        // The environment in the middle of a conversation.
        Some("system") => SYSTEM_BLOCKS,
        _ => {
            wrong.push(format!("messages.{index}.role: {} is not a role", brief(&message["role"])));
            return;
        }
    };
    check_content(&format!("messages.{index}.content"), &message["content"], known, wrong);
}

fn check_content(at: &str, content: &Value, known: &[&str], wrong: &mut Vec<String>) {
    match content {
        Value::String(text) if !text.trim().is_empty() => {}
        Value::Array(blocks) if !blocks.is_empty() => {
            for (index, block) in blocks.iter().enumerate() {
                check_block(&format!("{at}.{index}"), block, known, wrong);
            }
        }
        other => wrong.push(format!("{at}: {} is neither text nor blocks", brief(other))),
    }
}

fn check_block(at: &str, block: &Value, known: &[&str], wrong: &mut Vec<String>) {
    let kind = block["type"].as_str().unwrap_or_default();
    if !known.contains(&kind) {
        wrong.push(format!("{at}: a block of type `{kind}` is not allowed here"));
        return;
    }
    let text = |name: &str| block[name].as_str().unwrap_or_default();
    match kind {
        "text" if text("text").trim().is_empty() => {
            wrong.push(format!("{at}: text content blocks must contain non-whitespace text"));
        }
        "thinking" if text("signature") != signature(text("thinking")) => {
            wrong.push(format!("{at}: invalid `signature` in `thinking` block"));
        }
        "tool_use" if text("id").is_empty() || text("name").is_empty() || !block["input"].is_object() => {
            wrong.push(format!("{at}: a tool_use needs id, name and an object as input"));
        }
        "tool_result" => {
            if text("tool_use_id").is_empty() {
                wrong.push(format!("{at}: a tool_result needs tool_use_id"));
            }
            match &block["content"] {
                Value::Null => {}
                Value::String(_) => {}
                Value::Array(blocks) if blocks.is_empty() => {}
                content => check_content(&format!("{at}.content"), content, RESULT_BLOCKS, wrong),
            }
            if block["is_error"] == true && (block["content"].is_null() || block["content"] == "") {
                wrong.push(format!("{at}: content cannot be empty if is_error is true"));
            }
        }
        "image" | "document" if !block["source"].is_object() => {
            wrong.push(format!("{at}: a source is required"));
        }
        _ => {}
    }
}

/// Every call is answered in the next message of the user, and nothing else is.
fn check_pairs(messages: &[Value], wrong: &mut Vec<String>) {
    let mut open: Vec<&str> = Vec::new();
    let mut answered: Vec<&str> = Vec::new();
    let mut last = "";
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "system" {
            continue;
        }
        if role != last && last == "user" {
            unanswered(&mut open, wrong);
        }
        if role != last {
            answered.clear();
        }
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        let mut after_other = false;
        for block in blocks {
            match block["type"].as_str() {
                Some("tool_use") => {
                    let id = block["id"].as_str().unwrap_or_default();
                    if open.contains(&id) {
                        wrong.push(format!("messages.{index}: `tool_use` ids must be unique, {id} is not"));
                    }
                    open.push(id);
                }
                Some("tool_result") => {
                    let id = block["tool_use_id"].as_str().unwrap_or_default();
                    if let Some(at) = open.iter().position(|call| *call == id) {
                        answered.push(open.remove(at));
                    } else if answered.contains(&id) {
                        wrong.push(format!("messages.{index}: {id} has two `tool_result` blocks"));
                    } else {
                        wrong.push(format!(
                            "messages.{index}: unexpected `tool_use_id` {id} in a `tool_result`: the message \
                             before has no such `tool_use`"
                        ));
                    }
                    if after_other {
                        wrong.push(format!("messages.{index}: `tool_result` blocks must come first"));
                    }
                }
                _ => after_other = true,
            }
        }
        last = role;
    }
    unanswered(&mut open, wrong);
}

fn unanswered(open: &mut Vec<&str>, wrong: &mut Vec<String>) {
    if !open.is_empty() {
        wrong.push(format!(
            "messages: `tool_use` ids were found without `tool_result` blocks immediately after: {}",
            open.join(", ")
        ));
        open.clear();
    }
}
