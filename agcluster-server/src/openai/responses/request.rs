//! What a response is asked with.

use std::collections::HashMap;

use agcluster_core::protocol::PromptBlock;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Problem;
use crate::compat::messages::{Message, Role};
use crate::compat::talk::Wish;
use crate::compat::{NO_FORMAT, NO_PROBABILITIES, OWN_TOOLS, invalid, media, supported};
use crate::openai::content::{Content, Part};

/// The body. Fields that an agent has nothing to do with are not here, and are ignored: sampling, lengths, what to include.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::openai) struct ResponsesRequest {
    pub(super) model: String,
    input: Option<Input>,
    pub(super) instructions: Option<String>,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    pub(super) background: bool,
    #[serde(default = "yes")]
    pub(super) store: bool,
    pub(super) previous_response_id: Option<String>,
    pub(super) user: Option<String>,
    /// What the client says of its own request.
    pub(super) metadata: Option<HashMap<String, Value>>,
    /// Ours: whether to wait for the end of a running turn.
    #[serde(default)]
    pub(super) queue: bool,
    #[serde(flatten)]
    unsupported: Unsupported,
}

fn yes() -> bool {
    true
}

/// What would change what an answer means, and is refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = UnsupportedInResponse)]
struct Unsupported {
    tools: Option<Vec<Value>>,
    conversation: Option<Value>,
    prompt: Option<Value>,
    top_logprobs: Option<u32>,
    text: Option<TextSettings>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct TextSettings {
    format: Option<Format>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TextFormat)]
struct Format {
    r#type: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Item>),
}

/// A message has a role, and need not say that it is one; everything else says what it is.
#[derive(Debug, Deserialize, ToSchema)]
struct Item {
    r#type: Option<String>,
    role: Option<ItemRole>,
    content: Option<Content<InputPart>>,
    output: Option<Value>,
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ItemRole {
    System,
    Developer,
    User,
    Assistant,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum InputPart {
    #[serde(alias = "output_text", alias = "text", alias = "reasoning_text")]
    InputText {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    InputImage {
        image_url: Option<String>,
    },
    InputFile {
        filename: Option<String>,
        file_data: Option<String>,
    },
    #[serde(other)]
    Other,
}

impl ResponsesRequest {
    /// Refuses what cannot be done.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let Unsupported { tools, conversation, prompt, top_logprobs, text } = &self.unsupported;
        let format = text.as_ref().and_then(|text| text.format.as_ref());
        supported([
            (tools.as_ref().is_some_and(|tools| !tools.is_empty()), "tools", OWN_TOOLS),
            (
                conversation.is_some(),
                "conversation",
                "there are no conversation objects: send previous_response_id, or the header X-Conversation-ID",
            ),
            (prompt.is_some(), "prompt", "no prompts are kept here: send the instructions themselves"),
            (top_logprobs.is_some_and(|top| top > 0), "top_logprobs", NO_PROBABILITIES),
            (format.is_some_and(|format| format.r#type != "text"), "text.format", NO_FORMAT),
            (
                self.background && !self.store,
                "store",
                "what runs in the background must be stored, or nobody could ask for it: leave store out",
            ),
        ])
    }

    /// The agent and the session that it asks for. What is stored can be gone on from, so its session stays.
    pub(super) fn wish(&self) -> Wish {
        Wish {
            model: self.model.clone(),
            user: self.user.clone().map(|user| ("user", user)),
            previous: self.previous_response_id.clone(),
            lasting: self.store,
            queue: self.queue,
            background: self.background,
        }
    }

    /// The messages, the instructions before all others.
    pub(super) fn take_messages(&mut self) -> Result<Vec<Message>, Problem> {
        let messages = match self.input.take() {
            None => Vec::new(),
            Some(Input::Text(text)) => vec![Message::text(Role::User, text)],
            Some(Input::Items(items)) => {
                let items = items.into_iter().enumerate();
                let read = items.map(|(nth, item)| item.read(&format!("input[{nth}]")));
                read.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?
            }
        };
        if messages.is_empty() {
            return Ok(messages);
        }
        let system = self.instructions.iter().map(|text| Message::text(Role::System, text));
        Ok(system.chain(messages).collect())
    }
}

impl Item {
    fn read(self, param: &str) -> Result<Option<Message>, Problem> {
        let role = match (self.r#type.as_deref(), self.role) {
            (None | Some("message"), Some(ItemRole::System | ItemRole::Developer)) => Role::System,
            (None | Some("message"), Some(ItemRole::User)) => Role::User,
            (None | Some("message"), Some(ItemRole::Assistant)) => Role::Assistant,
            // What an earlier answer had besides its messages.
            (Some("reasoning"), _) => return Ok(None),
            (Some("function_call"), _) => {
                let name = self.name.unwrap_or_default();
                return Ok(Some(Message::text(Role::Assistant, format!("[called {name}]"))));
            }
            (Some("function_call_output"), _) => {
                let output = match self.output {
                    Some(Value::String(text)) => text,
                    other => other.unwrap_or_default().to_string(),
                };
                return Ok(Some(Message::text(Role::Tool, output)));
            }
            _ => {
                let detail = "an agent takes messages, and no other item";
                return Err(invalid(param, "item_unsupported", detail));
            }
        };
        let content = self.content.map(|content| content.read(&format!("{param}.content"))).transpose()?;
        Ok(Some(Message { role, content: content.unwrap_or_default() }))
    }
}

impl Part for InputPart {
    fn read(self, param: &str) -> Result<PromptBlock, Problem> {
        match self {
            Self::InputText { text } | Self::Refusal { refusal: text } => Ok(PromptBlock::Text { text }),
            Self::InputImage { image_url: Some(url) } => media::picture_of_url(param, &url),
            Self::InputFile { filename, file_data: Some(data) } => {
                media::file(param, filename.as_deref(), &data)
            }
            Self::InputImage { .. } | Self::InputFile { .. } => {
                let detail = "no file is kept here, and none is fetched: send it in the request, in base64";
                Err(invalid(param, "file_id_unsupported", detail))
            }
            Self::Other => {
                let detail = "an agent takes input_text, input_image and input_file, and no other part";
                Err(invalid(param, "content_type_unsupported", detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut body: Value) -> ResponsesRequest {
        body["model"] = "m".into();
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn input_is_a_text_or_items() {
        let mut request = read(json!({ "input": "hi", "instructions": "be kind" }));
        assert!(request.store && !request.background);
        let expected = [Message::text(Role::System, "be kind"), Message::text(Role::User, "hi")];
        assert_eq!(request.take_messages().unwrap(), expected);
        let mut request = read(json!({ "input": [
            { "role": "user", "content": "hi" },
            { "type": "reasoning", "id": "rs_1", "summary": [] },
            { "type": "message", "role": "assistant", "id": "msg_1", "content": [{ "type": "output_text", "text": "yes?", "annotations": [] }] },
            { "type": "function_call_output", "call_id": "c", "output": "42" },
            { "role": "user", "content": [{ "type": "input_text", "text": "now" }] },
        ]}));
        let expected = [
            Message::text(Role::User, "hi"),
            Message::text(Role::Assistant, "yes?"),
            Message::text(Role::Tool, "42"),
            Message::text(Role::User, "now"),
        ];
        assert_eq!(request.take_messages().unwrap(), expected);
    }

    #[test]
    fn what_changes_the_meaning_is_refused_by_name() {
        for (param, body) in [
            ("tools", json!({ "tools": [{ "type": "web_search" }] })),
            ("conversation", json!({ "conversation": "c" })),
            ("prompt", json!({ "prompt": { "id": "p" } })),
            ("top_logprobs", json!({ "top_logprobs": 1 })),
            ("text.format", json!({ "text": { "format": { "type": "json_schema" } } })),
            ("store", json!({ "background": true, "store": false })),
        ] {
            let problem = read(body).check().unwrap_err();
            assert_eq!((problem.code, &*problem.errors[0].field), ("unsupported_parameter", param));
        }
        let taken =
            json!({ "tools": [], "text": { "format": { "type": "text" } }, "temperature": 1, "include": [] });
        read(taken).check().unwrap();
    }

    #[test]
    fn an_item_that_cannot_be_taken_is_named() {
        let picture = json!({ "type": "input_image", "image_url": "https://x/y.png" });
        let mut request = read(json!({ "input": [{ "role": "user", "content": [picture] }] }));
        let problem = request.take_messages().unwrap_err();
        assert_eq!(
            (problem.code, &*problem.errors[0].field),
            ("image_url_unsupported", "input[0].content[0]")
        );
        let mut request = read(json!({ "input": [{ "type": "item_reference", "id": "x" }] }));
        assert_eq!(request.take_messages().unwrap_err().code, "item_unsupported");
    }
}
