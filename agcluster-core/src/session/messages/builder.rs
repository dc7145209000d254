//! From events to messages, one event at a time.

use agcluster_protocol::event::NoticeLevel;
use agcluster_protocol::{EventBody, PromptBlock};

use super::{Block, BlockBody, Message, Role, ToolResult};
use crate::journal::Record;

/// A message that has so many blocks, or came from so many bytes of events, is continued in another one.
const MAX_BLOCKS: usize = 256;
const MAX_BYTES: usize = 1 << 20;

/// Makes messages of records. It holds one message at most: messages lie one behind the other in the journal, so reading
/// may begin again behind each.
#[derive(Debug, Default)]
pub struct MessageBuilder {
    open: Option<Message>,
}

impl MessageBuilder {
    /// Takes the next record and gives the messages that are complete now.
    pub fn push(&mut self, record: &Record) -> Vec<Message> {
        let mut done = Vec::new();
        match &record.event.body {
            EventBody::TurnStarted { prompt, .. } | EventBody::PromptAdded { prompt, .. } => {
                done.extend(self.close());
                if !prompt.is_empty() {
                    done.push(said(record, prompt));
                }
            }
            EventBody::Text { message_id, text } => {
                let body = BlockBody::Text { text: text.clone() };
                done.extend(self.add(record, message_id.as_deref(), body));
            }
            EventBody::Thinking { message_id, text, .. } => {
                let body = BlockBody::Thinking { text: text.clone() };
                done.extend(self.add(record, message_id.as_deref(), body));
            }
            EventBody::ToolCall { message_id, call_id, name, input } => {
                let (call_id, name, input) = (call_id.clone(), name.clone(), input.clone());
                let body = BlockBody::ToolCall { call_id, name, input, result: None };
                done.extend(self.add(record, message_id.as_deref(), body));
            }
            EventBody::Block { message_id, block } => {
                let body = BlockBody::Other { block: block.clone() };
                done.extend(self.add(record, message_id.as_deref(), body));
            }
            EventBody::ToolResult { call_id, is_error, content, .. } => {
                let result = ToolResult { is_error: *is_error, content: content.clone() };
                if let Some(result) = self.answer(record, call_id, result) {
                    let body = BlockBody::ToolResult { call_id: call_id.clone(), result };
                    done.extend(self.add(record, None, body));
                }
            }
            EventBody::Note { content } => {
                let body = BlockBody::Note { content: content.clone() };
                done.extend(self.add(record, None, body));
            }
            EventBody::TurnEnded(end) => {
                if self.open.as_ref().is_some_and(|open| open.turn != record.event.turn) {
                    done.extend(self.close());
                }
                let message = self.open.get_or_insert_with(|| empty(record, Role::Assistant));
                message.take_in(record);
                message.end = Some(end.outcome.clone());
                done.extend(self.close());
            }
            other => {
                if let Some((level, message)) = notice(other) {
                    done.extend(self.add(record, None, BlockBody::Notice { level, message }));
                }
            }
        }
        done
    }

    /// The message to which something may still come.
    pub fn finish(self) -> Option<Message> {
        self.open
    }

    fn close(&mut self) -> Option<Message> {
        let mut message = self.open.take()?;
        message.complete = true;
        Some(message)
    }

    /// Adds a block to the open message, or to a new one; gives the one that is complete by that.
    fn add(&mut self, record: &Record, message_id: Option<&str>, body: BlockBody) -> Option<Message> {
        let role = if record.event.turn.is_some() { Role::Assistant } else { Role::System };
        // What a sub-agent says belongs to the message that called it.
        let message_id = message_id.filter(|_| record.event.parent.is_none());
        let goes_on = self.open.as_ref().is_some_and(|open| {
            let same = match (message_id, open.message_id.as_deref()) {
                (Some(new), Some(old)) => new == old,
                _ => true,
            };
            same && open.turn == record.event.turn && open.blocks.len() < MAX_BLOCKS && open.size < MAX_BYTES
        });
        let done = if goes_on { None } else { self.close() };
        let message = self.open.get_or_insert_with(|| empty(record, role));
        if message.message_id.is_none() {
            message.message_id = message_id.map(str::to_owned);
        }
        message.take_in(record);
        message.blocks.push(Block { body, parent: record.event.parent.clone() });
        done
    }

    /// Puts a result to its call, or gives it back when that is not in the open message.
    fn answer(&mut self, record: &Record, id: &str, answer: ToolResult) -> Option<ToolResult> {
        let Some(open) = self.open.as_mut() else { return Some(answer) };
        let call = open.blocks.iter_mut().find_map(|block| match &mut block.body {
            BlockBody::ToolCall { call_id, result, .. } if call_id == id && result.is_none() => Some(result),
            _ => None,
        });
        let Some(result) = call else { return Some(answer) };
        *result = Some(answer);
        open.take_in(record);
        None
    }
}

impl Message {
    fn take_in(&mut self, record: &Record) {
        self.last = record.seq();
        self.size += record.json().len();
    }
}

fn empty(record: &Record, role: Role) -> Message {
    Message {
        role,
        turn: record.event.turn,
        at: record.event.at,
        first: record.seq(),
        last: record.seq(),
        complete: false,
        blocks: Vec::new(),
        end: None,
        message_id: None,
        size: 0,
    }
}

fn said(record: &Record, prompt: &[PromptBlock]) -> Message {
    let mut message = empty(record, Role::User);
    message.take_in(record);
    message.complete = true;
    message.blocks = prompt.iter().map(|block| Block { body: block.into(), parent: None }).collect();
    message
}

/// What people should know of an event that is neither word nor deed of the agent's.
fn notice(body: &EventBody) -> Option<(NoticeLevel, String)> {
    Some(match body {
        EventBody::Notice { level, message } => (*level, message.clone()),
        EventBody::TurnStuck { detail, .. } => (NoticeLevel::Warning, detail.clone()),
        EventBody::SessionChanged { status, reason: Some(reason) } => {
            (NoticeLevel::Info, format!("the session is {status}: {reason}"))
        }
        EventBody::AgentExited { code, signal, .. } => {
            let how = match (code, signal) {
                (Some(code), _) => format!(" with exit code {code}"),
                (None, Some(signal)) => format!(" by signal {signal}"),
                (None, None) => String::new(),
            };
            (NoticeLevel::Warning, format!("the agent program ended{how}"))
        }
        EventBody::Compacted { .. } => (NoticeLevel::Info, "the conversation was shortened".to_owned()),
        EventBody::PermissionDenied { tool, message, .. } => {
            let why = message.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            (NoticeLevel::Warning, format!("the tool {tool} was refused{why}"))
        }
        _ => return None,
    })
}
