//! From a line of the program's output to events, without loss.
//!
//! A handler takes from a line what its event has a field for; whatever it does not take goes to the event's `extra`
//! under the program's own names. A line that no handler knows becomes a `vendor` event as it came. Left out is only:
//!
//! * `type` and `subtype` (also of an API event, a delta and a block), where the event's own type says the same;
//! * `session_id`, where it is the conversation's;
//! * `parent_tool_use_id` where it is null;
//! * of a `stream_event`: its `uuid`, and its `api_message_id` where it is the id of the message that has begun;
//! * an API event that says only that a block or message begins or ends: the finished block and `message_ended` do;
//!   a thought's signature as it is written, which the finished block has; and an empty piece of a tool's input;
//! * the empty `content` of a message that begins, and an empty `input` of a tool call that begins;
//! * `command_lifecycle` and `session_state_changed`: what they say is said by the turns and requests they are about;
//! * answers to the driver's own requests.

mod assistant;
mod result;
mod stream_event;
mod system;
mod todo;
mod user;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use agcluster_protocol::{EventBody, TurnEnd, Usage};
use serde_json::{Map, Value};

use super::fields::{Fields, strings};
use crate::recorder::Entry;
use todo::TodoList;

/// What a line says: things to record, and things for the driver to know, in order.
#[derive(Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are events; boxing them would cost each an allocation"
)]
pub(super) enum Said {
    Event(Entry),
    /// The program takes up work: for these messages of the user, or of its own accord when there are none.
    Begins(Vec<String>),
    /// A model call has begun, of the main agent.
    ModelCall,
    /// The program has ended its work: for these messages of the user, or of its own accord.
    Ends(Box<Ended>),
    /// A message of the user came further.
    Lifecycle {
        message: String,
        state: String,
    },
    /// The program asks something and waits.
    Asks {
        request_id: String,
        request: Map<String, Value>,
    },
    /// It asks no more.
    AsksNoMore {
        request_id: String,
    },
    /// It answers a request.
    Answers {
        request_id: String,
        answer: Result<Value, String>,
    },
    /// The permission mode, whether or not it is new.
    Mode(String),
    /// Servers that do not answer.
    FailedServers(Vec<String>),
}

/// How work ended.
#[derive(Debug, PartialEq)]
pub(super) struct Ended {
    pub(super) messages: Vec<String>,
    pub(super) end: TurnEnd,
    pub(super) extra: Map<String, Value>,
}

/// What must be known of earlier lines to understand a line.
#[derive(Debug, Default)]
pub(super) struct Translator {
    conversation: String,
    /// The homes that the program's files may be below: one directory by all its names.
    homes: Vec<PathBuf>,
    /// The message that is being written, by the tool call of the sub-agent that writes it.
    messages: HashMap<Option<String>, OpenMessage>,
    todo: TodoList,
}

#[derive(Debug, Default)]
struct OpenMessage {
    id: String,
    /// Ids of the tool calls that are being written, by block.
    calls: HashMap<u32, String>,
}

impl Translator {
    pub(super) fn new(conversation: String, home: &Path) -> Self {
        let mut homes = vec![home.to_owned()];
        homes.extend(home.canonicalize().ok().filter(|real| real != home));
        Self { conversation, homes, ..Self::default() }
    }

    pub(super) fn conversation(&self) -> &str {
        &self.conversation
    }

    /// The program is another one now: what was being written will not be finished.
    pub(super) fn forget_open_messages(&mut self) {
        self.messages.clear();
    }

    pub(super) fn translate(&mut self, line: Map<String, Value>) -> Vec<Said> {
        let mut said = Vec::new();
        let mut fields = Fields::new(line);
        match fields.str("type") {
            "control_request" => control_request(fields, &mut said),
            "control_cancel_request" => match fields.take_string("request_id") {
                Some(request_id) => said.push(Said::AsksNoMore { request_id }),
                None => vendor(fields, &mut said),
            },
            "control_response" => control_response(fields, &mut said),
            "command_lifecycle" => said.push(Said::Lifecycle {
                message: fields.take_string("command_uuid").unwrap_or_default(),
                state: fields.take_string("state").unwrap_or_default(),
            }),
            "conversation_reset" => self.conversation_reset(fields, &mut said),
            "transcript_mirror" => self.transcript_mirror(fields, &mut said),
            "stream_event" => self.stream_event(fields, &mut said),
            "assistant" => self.assistant(fields, &mut said),
            "user" => self.user(fields, &mut said),
            "system" => self.system(fields, &mut said),
            "result" => self.result(fields, &mut said),
            _ => vendor(fields, &mut said),
        }
        said
    }

    /// Removes what every line has and an event says otherwise; gives the parent.
    fn strip(&self, fields: &mut Fields) -> Option<String> {
        fields.remove("type");
        if fields.str("session_id") == self.conversation {
            fields.remove("session_id");
        }
        fields.remove_null("parent_tool_use_id");
        fields.take_string("parent_tool_use_id")
    }

    fn conversation_reset(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        let Some(conversation) = fields.take_string("new_conversation_id") else {
            return vendor(fields, said);
        };
        let parent = self.strip(&mut fields);
        self.conversation.clone_from(&conversation);
        said.push(event(parent, fields, EventBody::ConversationChanged { conversation }));
    }

    fn transcript_mirror(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        // What is not in the home is nothing that could be restored there.
        let path = self.homes.iter().find_map(|home| {
            let path = Path::new(fields.str("filePath")).strip_prefix(home).ok()?.to_str()?;
            (!path.is_empty()).then(|| path.to_owned())
        });
        let (Some(path), true) = (path, fields.get("entries").is_array()) else {
            return vendor(fields, said);
        };
        fields.remove("filePath");
        let entries = fields.take_array("entries").unwrap_or_default();
        let parent = self.strip(&mut fields);
        said.push(event(parent, fields, EventBody::Transcript { path, entries }));
    }
}

fn control_request(mut fields: Fields, said: &mut Vec<Said>) {
    match (fields.take_string("request_id"), fields.take_object("request")) {
        (Some(request_id), Some(request)) => {
            said.push(Said::Asks { request_id, request: request.rest() });
        }
        _ => vendor(fields, said),
    }
}

fn control_response(mut fields: Fields, said: &mut Vec<Said>) {
    let Some(mut response) = fields.take_object("response") else { return vendor(fields, said) };
    let request_id = response.take_string("request_id").unwrap_or_default();
    let answer = match response.str("subtype") {
        "success" => Ok(response.take("response").unwrap_or(Value::Null)),
        _ => Err(response.take_string("error").unwrap_or_else(|| "an error without a text".to_owned())),
    };
    said.push(Said::Answers { request_id, answer });
}

/// A line of which nothing is known, as it came.
fn vendor(fields: Fields, said: &mut Vec<Said>) {
    let payload = Value::Object(fields.rest());
    said.push(Said::Event(EventBody::Vendor { source: "claude".to_owned(), payload }.into()));
}

fn event(parent: Option<String>, rest: Fields, body: EventBody) -> Said {
    Said::Event(Entry { parent, extra: rest.rest(), body })
}

/// Takes the tokens out of the model API's `usage`.
fn take_usage(fields: &mut Fields) -> Usage {
    let Some(mut usage) = fields.take_object("usage") else { return Usage::default() };
    let taken = Usage {
        input_tokens: usage.take_u64("input_tokens").unwrap_or_default(),
        output_tokens: usage.take_u64("output_tokens").unwrap_or_default(),
        cache_read_tokens: usage.take_u64("cache_read_input_tokens").unwrap_or_default(),
        cache_write_tokens: usage.take_u64("cache_creation_input_tokens").unwrap_or_default(),
    };
    fields.put_back("usage", usage);
    taken
}

/// The user's messages that a line is about.
fn user_messages(fields: &Fields) -> Vec<String> {
    strings(fields.get("user_message_uuids"))
}
