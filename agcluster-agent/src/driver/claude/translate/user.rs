//! Results of tools, and what the program says to the model in the user's name.

use agcluster_protocol::EventBody;
use serde_json::{Map, Value};

use super::{Fields, Said, Translator, event, vendor};
use crate::recorder::Entry;

impl Translator {
    pub(super) fn user(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        let Some(mut message) = fields.take_object("message") else { return vendor(fields, said) };
        let Some(content) = message.take("content") else {
            fields.put_back("message", message);
            return vendor(fields, said);
        };
        let parent = self.strip(&mut fields);
        if message.str("role") == "user" {
            message.remove("role");
        }
        fields.put_back("message", message);
        let has_results = content.as_array().is_some_and(|blocks| blocks.iter().any(is_result));
        let Value::Array(blocks) = content else {
            return said.push(event(parent, fields, EventBody::Note { content }));
        };
        if !has_results {
            let content = Value::Array(blocks);
            return said.push(event(parent, fields, EventBody::Note { content }));
        }
        // The structured result is of the whole line, that is, of its one tool.
        let mut structured = match blocks.iter().filter(|block| is_result(block)).count() {
            1 => fields.take("tool_use_result"),
            _ => None,
        };
        let mut extra = Some(fields);
        for block in blocks {
            let mut rest = extra.take().unwrap_or_default();
            let Value::Object(object) = block else {
                said.push(event(parent.clone(), rest, EventBody::Note { content: block }));
                continue;
            };
            let mut block = Fields::new(object);
            if block.str("type") != "tool_result" || !block.get("tool_use_id").is_string() {
                let content = Value::Object(block.rest());
                said.push(event(parent.clone(), rest, EventBody::Note { content }));
                continue;
            }
            block.remove("type");
            let body = EventBody::ToolResult {
                call_id: block.take_string("tool_use_id").unwrap_or_default(),
                is_error: block.take_bool("is_error").unwrap_or_default(),
                content: block.take("content").unwrap_or_default(),
                structured: structured.take(),
            };
            rest.put_back("block", block);
            let todo = self.todo.result(&body);
            said.push(event(parent.clone(), rest, body));
            if let Some(body) = todo {
                said.push(Said::Event(Entry { parent: parent.clone(), extra: Map::new(), body }));
            }
        }
    }
}

fn is_result(block: &Value) -> bool {
    block["type"] == "tool_result" && block["tool_use_id"].is_string()
}
