//! A transcript to read.

use std::fmt::Write;

use agcluster_core::protocol::Outcome;
use agcluster_core::session::SessionInfo;
use agcluster_core::session::messages::{Block, BlockBody, Message, Role, ToolResult};
use serde_json::Value;

use super::chat_frames;
use crate::Problem;

/// What stands above all messages.
pub(crate) fn head(info: &SessionInfo) -> String {
    format!("# Session {}\n\nConfiguration {}, launched {}.\n", info.id, info.config_id, info.created_at)
}

/// One message.
pub(crate) fn message(message: &Message) -> String {
    let who = match message.role {
        Role::User => "User",
        Role::Assistant => "Assistant",
        Role::System => "Session",
    };
    let mut text = format!("\n## {who}, {}\n", message.at);
    for part in &message.blocks {
        block(&mut text, part);
    }
    match &message.end {
        None | Some(Outcome::Completed) => {}
        Some(Outcome::Interrupted) => text.push_str("\n*The turn was interrupted.*\n"),
        Some(Outcome::Limit { which }) => {
            let which = serde_json::to_value(which).unwrap_or_default();
            let _ = write!(text, "\n*The turn ended at a limit: {}.*\n", which.as_str().unwrap_or("other"));
        }
        Some(Outcome::Failed { message, .. }) => {
            let _ = write!(text, "\n*The turn failed: {message}*\n");
        }
    }
    text
}

/// The end of a transcript that could not be read to its end.
pub(crate) fn broken(problem: &Problem) -> String {
    format!("\n*The transcript breaks off here: {}*\n", problem.detail)
}

fn block(text: &mut String, Block { body, parent }: &Block) {
    if parent.is_some() {
        text.push_str("\n*A sub-agent:*\n");
    }
    match body {
        BlockBody::Text { text: said } => {
            let _ = write!(text, "\n{said}\n");
        }
        BlockBody::Image { media_type, .. } => {
            let _ = write!(text, "\n*A picture ({media_type}).*\n");
        }
        BlockBody::Document { media_type, title, .. } => {
            let _ = write!(text, "\n*A document ({}).*\n", title.as_deref().unwrap_or(media_type));
        }
        BlockBody::Thinking { text: thought } => {
            text.push('\n');
            for line in thought.lines() {
                let _ = writeln!(text, "> {line}");
            }
        }
        BlockBody::ToolCall { name, input, result, .. } => {
            let _ = write!(text, "\n**Tool {name}**\n");
            fenced(text, "json", &serde_json::to_string_pretty(input).unwrap_or_default());
            if let Some(result) = result {
                tool_result(text, result);
            }
        }
        BlockBody::ToolResult { result, .. } => tool_result(text, result),
        BlockBody::Notice { message, .. } => {
            let _ = write!(text, "\n*{message}*\n");
        }
        BlockBody::Note { content } => fenced(text, "", &plain(content)),
        BlockBody::Other { block } => {
            fenced(text, "json", &serde_json::to_string_pretty(block).unwrap_or_default());
        }
    }
}

fn tool_result(text: &mut String, result: &ToolResult) {
    text.push_str(if result.is_error { "\nFailed:\n" } else { "\nResult:\n" });
    fenced(text, "", &plain(&result.content));
}

fn plain(content: &Value) -> String {
    match chat_frames::plain(content) {
        Value::String(text) => text,
        other => serde_json::to_string_pretty(&other).unwrap_or_default(),
    }
}

/// A block of code whose fence is longer than any in it.
fn fenced(text: &mut String, language: &str, code: &str) {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat((longest + 1).max(3));
    let _ = write!(text, "\n{fence}{language}\n{}\n{fence}\n", code.trim_end_matches('\n'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_ends_its_own_block() {
        let mut text = String::new();
        fenced(&mut text, "", "a ```` b\n");
        assert_eq!(text, "\n`````\na ```` b\n`````\n");
        text.clear();
        fenced(&mut text, "json", "{}");
        assert_eq!(text, "\n```json\n{}\n```\n");
    }
}
