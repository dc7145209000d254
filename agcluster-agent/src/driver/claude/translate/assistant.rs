//! Finished blocks of the model's messages.

use agcluster_protocol::EventBody;
use serde_json::{Map, Value};

use super::{Fields, Said, Translator, event, vendor};
use crate::recorder::Entry;

impl Translator {
    pub(super) fn assistant(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        // Written by the program, not by the model: the end of the turn says it in better words.
        let synthetic = fields.get("is_api_error_message") == true;
        let message = if synthetic { None } else { fields.take_object("message") };
        let Some(mut message) = message else { return vendor(fields, said) };
        let blocks = match message.take_array("content") {
            Some(blocks) if !blocks.is_empty() => blocks,
            content => {
                if let Some(content) = content {
                    message.put("content", content.into());
                }
                fields.put_back("message", message);
                return vendor(fields, said);
            }
        };
        let parent = self.strip(&mut fields);
        let message_id = message.take_string("id");
        message.remove("type");
        // What is left of message and line goes with the first block; there is one, as far as is known.
        fields.put_back("message", message);
        let mut extra = Some(fields);
        for block in blocks {
            let mut rest = extra.take().unwrap_or_default();
            let (body, left) = self.block(message_id.clone(), block);
            rest.put_back("block", Fields::new(left));
            let further = self.todo.call(&body);
            said.push(event(parent.clone(), rest, body));
            for body in further {
                said.push(Said::Event(Entry { parent: parent.clone(), extra: Map::new(), body }));
            }
        }
    }

    /// The event for a block, and what of the block it has no room for.
    fn block(&mut self, message_id: Option<String>, block: Value) -> (EventBody, Map<String, Value>) {
        let Value::Object(object) = block else {
            return (EventBody::Block { message_id, block }, Map::new());
        };
        let mut block = Fields::new(object);
        let complete = match block.str("type") {
            "text" => block.get("text").is_string(),
            "thinking" => block.get("thinking").is_string(),
            "tool_use" => block.get("id").is_string() && block.get("name").is_string() && block.has("input"),
            _ => false,
        };
        if !complete {
            return (EventBody::Block { message_id, block: Value::Object(block.rest()) }, Map::new());
        }
        let kind = block.take_string("type").unwrap_or_default();
        let body = match kind.as_str() {
            "text" => EventBody::Text { message_id, text: block.take_string("text").unwrap_or_default() },
            "thinking" => EventBody::Thinking {
                message_id,
                text: block.take_string("thinking").unwrap_or_default(),
                signature: block.take_string("signature"),
            },
            _ => EventBody::ToolCall {
                message_id,
                call_id: block.take_string("id").unwrap_or_default(),
                name: block.take_string("name").unwrap_or_default(),
                input: block.take("input").unwrap_or_default(),
            },
        };
        (body, block.rest())
    }
}
