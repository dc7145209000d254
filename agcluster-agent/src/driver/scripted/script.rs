//! From a prompt's text to steps.

use std::time::Duration;

use agcluster_protocol::{FailureReason, Limit};
use serde_json::Value;

/// One thing to play.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Say(String),
    Think(String),
    Stream { count: u64, every: Duration, bytes: usize },
    Tool { name: String, input: Value, result: String },
    Permission { name: String, input: Value },
    Ask { question: String, options: Vec<String> },
    Gate(String),
    Todo(Vec<String>),
    Plan(String),
    SubAgent { name: String, text: String },
    Background(String),
    Retry(u16),
    Vendor(Value),
    Recall,
    Clear,
    Listen,
    Wait(Duration),
    Hang,
    Stall(Stall),
    Fail { reason: FailureReason, message: String },
    Limit(Limit),
    Exit(i32),
    Die,
    Vanish,
}

/// What does not come on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    Program,
    Model,
    Tool,
}

/// Bytes of a delta of `@@stream`, unless it says another number, and the most.
const STREAM_BYTES: usize = 20;
const MOST_STREAM_BYTES: usize = 1024 * 1024;

/// A line that begins with `@@` and is no directive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the directive `{line}` cannot be played: {reason}")]
pub(super) struct ScriptError {
    line: String,
    reason: String,
}

/// The directives of a text, in order; none when it has none.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, ScriptError> {
    let directives = text.lines().filter_map(|line| line.strip_prefix("@@"));
    directives
        .map(|directive| {
            step(directive.trim_end()).map_err(|reason| ScriptError {
                line: format!("@@{}", directive.chars().take(100).collect::<String>()),
                reason,
            })
        })
        .collect()
}

fn step(directive: &str) -> Result<Step, String> {
    let (verb, rest) = word(directive);
    let text = || if rest.is_empty() { Err("a text must follow".to_owned()) } else { Ok(rest.to_owned()) };
    Ok(match verb {
        "say" => Step::Say(text()?),
        "think" => Step::Think(text()?),
        "stream" => stream(rest)?,
        "tool" => {
            let (call, result) = rest.split_once(" => ").unwrap_or((rest, "done"));
            let (name, input) = call_of(call)?;
            Step::Tool { name, input, result: result.to_owned() }
        }
        "permission" => {
            let (name, input) = call_of(rest)?;
            Step::Permission { name, input }
        }
        "ask" => {
            let mut parts = rest.split('|').map(|part| part.trim().to_owned());
            let question = parts.next().filter(|question| !question.is_empty());
            let question = question.ok_or("a question must follow")?;
            Step::Ask { question, options: parts.collect() }
        }
        "gate" => Step::Gate(text()?),
        "todo" => Step::Todo(text()?.split(';').map(|item| item.trim().to_owned()).collect()),
        "plan" => Step::Plan(text()?),
        "subagent" => {
            let (name, text) = word(rest);
            Step::SubAgent { name: name.to_owned(), text: text.to_owned() }
        }
        "background" => Step::Background(text()?),
        "retry" => Step::Retry(number(rest)?),
        "vendor" => Step::Vendor(json(rest)?),
        "wait" => Step::Wait(milliseconds(rest)?),
        "recall" => Step::Recall,
        "clear" => Step::Clear,
        "listen" => Step::Listen,
        "hang" => Step::Hang,
        "stall" => Step::Stall(match rest {
            "" | "program" => Stall::Program,
            "model" => Stall::Model,
            "tool" => Stall::Tool,
            _ => return Err(format!("`{rest}` is neither `program`, `model` nor `tool`")),
        }),
        "fail" => {
            let (reason, message) = word(rest);
            let reason = serde_json::from_value(Value::from(reason)).map_err(|error| error.to_string())?;
            Step::Fail { reason, message: message.to_owned() }
        }
        "limit" => Step::Limit(serde_json::from_value(Value::from(rest)).map_err(|error| error.to_string())?),
        "exit" => Step::Exit(number(rest)?),
        "die" => Step::Die,
        "vanish" => Step::Vanish,
        _ => return Err("there is no such directive".to_owned()),
    })
}

fn stream(rest: &str) -> Result<Step, String> {
    let (count, mut rest) = word(rest);
    let count = number(count)?;
    let (mut every, mut bytes) = (Duration::ZERO, STREAM_BYTES);
    while !rest.is_empty() {
        let (key, after) = word(rest);
        // `every=50ms` is taken for `every 50ms`.
        let (key, value, after) = match key.split_once('=') {
            Some((key, value)) => (key, value, after),
            None => {
                let (value, after) = word(after);
                (key, value, after)
            }
        };
        match key {
            "events" => {
                rest = word(rest).1;
                continue;
            }
            "every" => every = milliseconds(value)?,
            "of" => bytes = number(value)?,
            _ => return Err(format!("`{key}` is neither `every Xms` nor `of B bytes`")),
        }
        rest = after.strip_prefix("bytes").unwrap_or(after).trim_start();
    }
    if !(1..=MOST_STREAM_BYTES).contains(&bytes) {
        return Err(format!("a delta has 1 to {MOST_STREAM_BYTES} bytes"));
    }
    Ok(Step::Stream { count, every, bytes })
}

fn call_of(text: &str) -> Result<(String, Value), String> {
    let (name, input) = word(text);
    if name.is_empty() {
        return Err("the name of a tool must follow".to_owned());
    }
    let input = if input.is_empty() { Value::Object(serde_json::Map::new()) } else { json(input)? };
    Ok((name.to_owned(), input))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    number(text.strip_suffix("ms").unwrap_or(text)).map(Duration::from_millis)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a fitting whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_stream_says_how_many_how_fast_and_how_large() {
        let text = "@@stream 5\n@@stream 7 events every 3ms of 100 bytes\n@@stream 1 of 2\n@@stream 20 every=50ms of=9";
        let steps = parse(text).unwrap();
        let stream = |count, every, bytes| Step::Stream { count, every: Duration::from_millis(every), bytes };
        assert_eq!(steps, [stream(5, 0, 20), stream(7, 3, 100), stream(1, 0, 2), stream(20, 50, 9)]);
    }

    #[test]
    fn a_tool_has_an_input_and_a_result() {
        let steps = parse("@@tool Bash {\"command\":\"ls\"} => a b\n@@tool Read").unwrap();
        let tool = |name: &str, input, result: &str| Step::Tool {
            name: name.to_owned(),
            input,
            result: result.to_owned(),
        };
        assert_eq!(steps, [tool("Bash", json!({"command": "ls"}), "a b"), tool("Read", json!({}), "done")]);
    }

    #[test]
    fn lines_that_are_no_directives_are_left_alone() {
        assert_eq!(parse("hello\n @@say no\n@@say yes").unwrap(), [Step::Say("yes".to_owned())]);
        assert_eq!(parse("hello").unwrap(), []);
    }

    #[test]
    fn a_slip_is_seen() {
        for line in [
            "@@stall everything",
            "@@sya x",
            "@@say",
            "@@stream many",
            "@@stream 1 of 0",
            "@@tool Bash {",
            "@@wait soon",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "(@@)?[a-z]{0,10}( [^\n]{0,40})?") {
            let _ = parse(&text);
        }
    }
}
