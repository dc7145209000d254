//! The model's stream, as it comes from the model API.

use agcluster_protocol::EventBody;

use super::{Fields, OpenMessage, Said, Translator, event, take_usage, vendor};

impl Translator {
    pub(super) fn stream_event(&mut self, mut fields: Fields, said: &mut Vec<Said>) {
        let parent = fields.get("parent_tool_use_id").as_str().map(str::to_owned);
        let Some(api) = fields.take_object("event") else { return vendor(fields, said) };
        let bare = is_bare(&fields);
        let known = match api.str("type") {
            "message_start" => self.message_start(&parent, api),
            // That a block or message begins or ends is said by the finished block, and by `message_ended`.
            "content_block_start" if bare && begins_empty(&api) => Ok(None),
            "content_block_start" => self.block_start(&parent, api),
            "content_block_delta" if bare && says_nothing(&api) => Ok(None),
            "content_block_delta" => self.block_delta(&parent, api),
            "message_delta" => Ok(Some(message_delta(api))),
            "content_block_stop" if bare && api.names().all(|name| ["type", "index"].contains(&name)) => {
                Ok(None)
            }
            "message_stop" if bare && api.names().all(|name| name == "type") => Ok(None),
            _ => Err(api),
        };
        match known {
            Ok(None) => {}
            Ok(Some((body, rest))) => {
                if matches!(body, EventBody::MessageStarted { .. }) && parent.is_none() {
                    said.push(Said::ModelCall);
                }
                self.strip(&mut fields);
                fields.remove("uuid");
                let message = self.messages.get(&parent);
                if message.is_some_and(|message| message.id == fields.str("api_message_id")) {
                    fields.remove("api_message_id");
                }
                fields.put_back("event", rest);
                said.push(event(parent, fields, body));
            }
            Err(api) => {
                fields.put_back("event", api);
                vendor(fields, said);
            }
        }
    }

    fn message_start(&mut self, parent: &Option<String>, mut api: Fields) -> Known {
        let Some(mut message) = api.take_object("message") else { return Err(api) };
        let Some(message_id) = message.take_string("id") else {
            api.put_back("message", message);
            return Err(api);
        };
        let open = OpenMessage { id: message_id.clone(), ..OpenMessage::default() };
        self.messages.insert(parent.clone(), open);
        let model = message.take_string("model");
        let usage = take_usage(&mut message);
        message.remove("type");
        if message.get("content").as_array().is_some_and(Vec::is_empty) {
            message.remove("content");
        }
        api.remove("type");
        api.put_back("message", message);
        Ok(Some((EventBody::MessageStarted { message_id, model, usage }, api)))
    }

    fn block_start(&mut self, parent: &Option<String>, mut api: Fields) -> Known {
        let Some(mut block) = api.take_object("content_block") else { return Err(api) };
        let is_call = block.str("type") == "tool_use"
            && block.get("id").is_string()
            && block.get("name").is_string()
            && block.get("input").as_object().is_none_or(|input| input.is_empty());
        let index = if is_call { api.take_u32("index") } else { None };
        let Some(index) = index else {
            api.put_back("content_block", block);
            return Err(api);
        };
        let call_id = block.take_string("id").unwrap_or_default();
        let name = block.take_string("name").unwrap_or_default();
        let message = self.messages.entry(parent.clone()).or_default();
        message.calls.insert(index, call_id.clone());
        for implied in ["type", "input"] {
            block.remove(implied);
        }
        api.remove("type");
        api.put_back("content_block", block);
        Ok(Some((EventBody::ToolCallStarted { block: index, call_id, name }, api)))
    }

    fn block_delta(&mut self, parent: &Option<String>, mut api: Fields) -> Known {
        let Some(mut delta) = api.take_object("delta") else { return Err(api) };
        let block = api.get("index").as_u64().and_then(|index| u32::try_from(index).ok());
        let body = block.and_then(|block| match delta.str("type") {
            "text_delta" => delta.take_string("text").map(|text| EventBody::TextDelta { block, text }),
            "thinking_delta" => {
                delta.take_string("thinking").map(|text| EventBody::ThinkingDelta { block, text })
            }
            "input_json_delta" => {
                let call_id = self.messages.get(parent)?.calls.get(&block)?.clone();
                delta.take_string("partial_json").map(|json| EventBody::ToolInputDelta {
                    block,
                    call_id,
                    json,
                })
            }
            _ => None,
        });
        let Some(body) = body else {
            api.put_back("delta", delta);
            return Err(api);
        };
        delta.remove("type");
        api.remove("type");
        api.remove("index");
        api.put_back("delta", delta);
        Ok(Some((body, api)))
    }
}

/// The event, with what is left of the API's; or the API's event again when it is not understood.
type Known = Result<Option<(EventBody, Fields)>, Fields>;

fn message_delta(mut api: Fields) -> (EventBody, Fields) {
    let usage = take_usage(&mut api);
    let mut stop_reason = None;
    if let Some(mut delta) = api.take_object("delta") {
        stop_reason = delta.take_string("stop_reason");
        delta.remove_null("stop_reason");
        api.put_back("delta", delta);
    }
    api.remove("type");
    (EventBody::MessageEnded { stop_reason, usage }, api)
}

fn begins_empty(api: &Fields) -> bool {
    let block = api.get("content_block");
    let usual = |names: &[&str]| {
        block.as_object().is_some_and(|fields| fields.keys().all(|name| names.contains(&name.as_str())))
    };
    (block["type"] == "text" && block["text"] == "" && usual(&["type", "text"]))
        || (block["type"] == "thinking"
            && block["thinking"] == ""
            && usual(&["type", "thinking", "signature"]))
}

/// A signature is in the finished block, and the first piece of a tool's input is empty.
fn says_nothing(api: &Fields) -> bool {
    let delta = api.get("delta");
    delta["type"] == "signature_delta" || (delta["type"] == "input_json_delta" && delta["partial_json"] == "")
}

/// Whether a line has nothing besides what every line of the stream has.
fn is_bare(fields: &Fields) -> bool {
    const USUAL: [&str; 6] =
        ["type", "session_id", "parent_tool_use_id", "uuid", "api_message_id", "thinking_display"];
    fields.names().all(|name| USUAL.contains(&name))
}
