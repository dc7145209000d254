//! From a conversation to the next answer: which step of which script it is.

#[cfg(test)]
mod tests;

use super::check::tool_names;
use super::demo;
use super::reply::{Pace, Reply, Stop};
use super::script::{self, Action, Block, Refusal, ToolCall};
use serde_json::Value;

/// What to do with a request.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// Refuse the first attempts of this very conversation.
    pub(super) refuse_first: Option<Refusal>,
    pub(super) then: Then,
}

#[derive(Debug, PartialEq)]
pub(super) enum Then {
    Reply(Reply),
    Refuse(u16),
}

/// The next answer in a conversation that was found well formed.
///
/// The script is in the newest text of the user that carries directives; the step is the number of the model's
/// answers after it. A text and not a message, since a client joins prompts that were not answered, after an error
/// for one, into one message.
///
/// # Errors
///
/// When a directive cannot be read, or calls a tool that the client does not offer.
pub(super) fn plan(body: &Value, demo: bool) -> Result<Plan, String> {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let Some((at, steps)) = newest_script(messages)? else {
        let reply = if demo { demo::reply(body) } else { Reply::text("Hello! I am a scripted model.") };
        return Ok(Plan { refuse_first: None, then: Then::Reply(reply) });
    };
    let Some(step) = steps.into_iter().nth(answers(&messages[at..])) else {
        return Ok(Plan { refuse_first: None, then: Then::Reply(Reply::text("Done.")) });
    };
    let then = match step.action {
        Action::Refuse(status) => Then::Refuse(status),
        Action::Blocks(blocks) => {
            for block in &blocks {
                if let Block::Tool(call) = block {
                    must_be_offered(call, body)?;
                }
            }
            Then::Reply(Reply::of(blocks))
        }
        Action::Rogue(call) => {
            if tool_names(body).any(|name| name == call.name) {
                return Err(format!("`@@rogue_tool {0}`: the client does offer {0}", call.name));
            }
            Then::Reply(Reply::of(vec![Block::Tool(call)]))
        }
        Action::Slow { over, pieces, text } => Then::Reply(Reply::paced(text, Pace::Spread { over, pieces })),
        Action::Repeat { times, text } => Then::Reply(Reply::paced(text, Pace::Repeat(times))),
        Action::Gate { name, text } => Then::Reply(Reply::paced(text, Pace::Gate(name))),
        Action::Hang => Then::Reply(Reply::paced("Nobody will read this.".to_owned(), Pace::Hang)),
        Action::Cut { gate, text } => Then::Reply(Reply::paced(text, Pace::Cut(gate))),
        Action::MaxTokens(text) => Then::Reply(Reply { stop: Stop::MaxTokens, ..Reply::text(text) }),
    };
    Ok(Plan { refuse_first: step.refuse_first, then })
}

/// How many answers the model has given in these messages. One answer may be sent back in several messages.
pub(super) fn answers(messages: &[Value]) -> usize {
    let mut count = 0;
    let mut last = "";
    for message in messages {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "assistant" && last != "assistant" {
            count += 1;
        }
        last = role;
    }
    count
}

fn newest_script(messages: &[Value]) -> Result<Option<(usize, Vec<script::Step>)>, String> {
    for (at, message) in messages.iter().enumerate().rev() {
        if message["role"] != "user" {
            continue;
        }
        for text in texts_of(&message["content"]).into_iter().rev() {
            let steps = script::parse(text).map_err(|error| error.to_string())?;
            if !steps.is_empty() {
                return Ok(Some((at, steps)));
            }
        }
    }
    Ok(None)
}

/// The texts of a content. What tools gave back is not the user's word.
pub(super) fn texts_of(content: &Value) -> Vec<&str> {
    match content {
        Value::String(text) => vec![text],
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        _ => Vec::new(),
    }
}

fn must_be_offered(call: &ToolCall, body: &Value) -> Result<(), String> {
    if tool_names(body).any(|name| name == call.name) {
        return Ok(());
    }
    let offered: Vec<_> = tool_names(body).collect();
    Err(format!("the script calls {}, which the client does not offer; it offers {offered:?}", call.name))
}
