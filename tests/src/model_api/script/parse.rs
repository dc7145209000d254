//! From prompt text to steps.

use super::{Action, Block, Refusal, Step, ToolCall};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Steps that one prompt may have, and pieces or repeats that one step may have: keeps an answer bounded.
const MOST_STEPS: usize = 1_000;
const MOST_PIECES: u32 = 1_000_000;

/// A directive that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("directive `{line}`: {reason}")]
pub struct ScriptError {
    line: String,
    reason: String,
}

/// Reads the directives in a text, in order. Lines that do not begin with `@@` are not directives; a text without
/// any gives no steps.
///
/// # Errors
///
/// When a line begins with `@@` and is not a directive, and when there are more than a thousand.
pub fn parse(text: &str) -> Result<Vec<Step>, ScriptError> {
    let mut steps = Vec::new();
    let mut refuse_first = None;
    for line in text.lines() {
        // A hunk of a diff begins with `@@ -1,3`: it may well be in a prompt.
        let Some(directive) = line.strip_prefix("@@").filter(|rest| !rest.starts_with([' ', '@'])) else {
            continue;
        };
        let fail = |reason: String| ScriptError { line: line.chars().take(200).collect(), reason };
        if steps.len() == MOST_STEPS {
            return Err(fail(format!("a prompt has at most {MOST_STEPS} directives")));
        }
        match directive_of(directive).map_err(fail)? {
            Parsed::RefuseFirst(refusal) => refuse_first = Some(refusal),
            Parsed::Action(action) => steps.push(Step { refuse_first: refuse_first.take(), action }),
        }
    }
    if let Some(refusal) = refuse_first {
        let action = Action::Blocks(vec![Block::Text("Done.".to_owned())]);
        steps.push(Step { refuse_first: Some(refusal), action });
    }
    Ok(steps)
}

enum Parsed {
    RefuseFirst(Refusal),
    Action(Action),
}

fn directive_of(directive: &str) -> Result<Parsed, String> {
    let (verb, rest) = split_word(directive);
    let action = match verb {
        "text" => Action::Blocks(vec![Block::Text(words(rest)?)]),
        "bash" => {
            let input = json!({"command": words(rest)?, "description": "Run the command of the script"});
            Action::Blocks(vec![Block::Tool(ToolCall { name: "Bash".to_owned(), input })])
        }
        "tool" => Action::Blocks(vec![Block::Tool(call(rest)?)]),
        "rogue_tool" => Action::Rogue(call(rest)?),
        "tools" => Action::Blocks(blocks(rest)?),
        "think" => {
            let (thought, answer) = rest.split_once(" => ").unwrap_or((rest, "I have thought about it."));
            Action::Blocks(vec![Block::Thinking(words(thought)?), Block::Text(words(answer)?)])
        }
        "slow" => {
            let (seconds, rest) = split_word(rest);
            let (pieces, text) = split_word(rest);
            let seconds: f64 = number(seconds, "seconds")?;
            let over = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
            Action::Slow { over, pieces: count(pieces)? as usize, text: words(text)? }
        }
        "repeat" => {
            let (times, text) = rest.split_once(' ').unwrap_or((rest, ""));
            // The delta is taken as it stands, its last blank too: it is repeated.
            let text = if text.starts_with('"') { words(text)? } else { text.to_owned() };
            if text.is_empty() {
                return Err("a text must follow".to_owned());
            }
            Action::Repeat { times: count(times)?, text }
        }
        "gate" => {
            let (name, text) = gate(rest)?;
            Action::Gate { name, text }
        }
        "max_tokens" => Action::MaxTokens(words(rest)?),
        "cut" => Action::Cut { gate: None, text: words(rest)? },
        "cut_at" => {
            let (name, text) = gate(rest)?;
            Action::Cut { gate: Some(name), text }
        }
        "hang" => Action::Hang,
        "error" => {
            let (status, times) = split_word(rest);
            let status: u16 = number(status, "an HTTP status")?;
            if !(400..=599).contains(&status) {
                return Err("the status of an error is 400 to 599".to_owned());
            }
            if !times.trim().is_empty() {
                return Ok(Parsed::RefuseFirst(Refusal { status, times: count(times.trim())? }));
            }
            Action::Refuse(status)
        }
        other => return Err(format!("there is no directive `@@{other}`")),
    };
    Ok(Parsed::Action(action))
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

/// A text that must not be empty; a JSON string when it begins with a quotation mark.
fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    let text = if text.starts_with('"') {
        serde_json::from_str(text).map_err(|error| format!("not a JSON string: {error}"))?
    } else {
        text.to_owned()
    };
    if text.trim().is_empty() { Err("a text must follow".to_owned()) } else { Ok(text) }
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not {what}"))
}

fn count(text: &str) -> Result<u32, String> {
    match number(text, "a count")? {
        count @ 1..=MOST_PIECES => Ok(count),
        _ => Err(format!("a count is 1 to {MOST_PIECES}")),
    }
}

fn gate(text: &str) -> Result<(String, String), String> {
    let (name, text) = split_word(text);
    if name.is_empty() {
        return Err("the name of a gate must follow".to_owned());
    }
    Ok((name.to_owned(), words(text)?))
}

fn call(text: &str) -> Result<ToolCall, String> {
    let (name, input) = split_word(text);
    if name.is_empty() {
        return Err("the name of a tool must follow".to_owned());
    }
    let input = if input.trim().is_empty() { "{}" } else { input };
    let input: Map<String, Value> =
        serde_json::from_str(input).map_err(|error| format!("the input is not a JSON object: {error}"))?;
    Ok(ToolCall { name: name.to_owned(), input: Value::Object(input) })
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Item {
    Text { text: String },
    Thinking { thinking: String },
    Tool { name: String, input: Map<String, Value> },
}

fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let items: Vec<Item> = serde_json::from_str(text)
        .map_err(|error| format!("not a list of {{name,input}}, {{text}} and {{thinking}}: {error}"))?;
    if items.is_empty() {
        return Err("the list must not be empty".to_owned());
    }
    Ok(items
        .into_iter()
        .map(|item| match item {
            Item::Text { text } => Block::Text(text),
            Item::Thinking { thinking } => Block::Thinking(thinking),
            Item::Tool { name, input } => Block::Tool(ToolCall { name, input: Value::Object(input) }),
        })
        .collect())
}
