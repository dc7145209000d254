//! What a chat completion is asked with.

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

/// The body. Fields that an agent has nothing to do with are not here, and are ignored: sampling, lengths, stop words.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::openai) struct CompletionRequest {
    pub(super) model: String,
    messages: Vec<CompletionMessage>,
    #[serde(default)]
    pub(super) stream: bool,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) user: Option<String>,
    /// What the client says of its own request.
    pub(super) metadata: Option<HashMap<String, Value>>,
    /// Ours: whether to wait for the end of a running turn.
    #[serde(default)]
    pub(super) queue: bool,
    #[serde(flatten)]
    unsupported: Unsupported,
}

/// What would change what an answer means, and is refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = UnsupportedInCompletion)]
struct Unsupported {
    n: Option<u32>,
    tools: Option<Vec<Value>>,
    functions: Option<Vec<Value>>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    audio: Option<Value>,
    modalities: Option<Vec<String>>,
    response_format: Option<ResponseFormat>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct ResponseFormat {
    r#type: String,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
struct CompletionMessage {
    role: CompletionRole,
    content: Option<Content<CompletionPart>>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CompletionRole {
    System,
    Developer,
    User,
    Assistant,
    Tool,
    Function,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CompletionPart {
    Text {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    ImageUrl {
        image_url: ImageUrl,
    },
    File {
        file: File,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum ImageUrl {
    Object { url: String },
    Bare(String),
}

#[derive(Debug, Deserialize, ToSchema)]
struct File {
    filename: Option<String>,
    file_data: Option<String>,
}

impl CompletionRequest {
    /// Refuses what cannot be done.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let Unsupported { n, tools, functions, logprobs, top_logprobs, audio, modalities, response_format } =
            &self.unsupported;
        let has = |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let speaks = |kinds: &Vec<String>| kinds.iter().any(|kind| kind != "text");
        supported([
            (n.is_some_and(|n| n != 1), "n", "an agent gives one answer: n must be 1"),
            (has(tools), "tools", OWN_TOOLS),
            (has(functions), "functions", OWN_TOOLS),
            (*logprobs == Some(true), "logprobs", NO_PROBABILITIES),
            (top_logprobs.is_some_and(|top| top > 0), "top_logprobs", NO_PROBABILITIES),
            (audio.is_some(), "audio", "an agent does not speak: leave this out"),
            (
                modalities.as_ref().is_some_and(speaks),
                "modalities",
                "an agent answers with text alone: leave this out",
            ),
            (
                response_format.as_ref().is_some_and(|format| format.r#type != "text"),
                "response_format",
                NO_FORMAT,
            ),
        ])
    }

    /// The agent and the session that it asks for.
    pub(super) fn wish(&self) -> Wish {
        Wish {
            model: self.model.clone(),
            user: self.user.clone().map(|user| ("user", user)),
            queue: self.queue,
            ..Wish::default()
        }
    }

    /// What is said in the messages, in words.
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |message: &CompletionMessage| match &message.content {
            None => String::new(),
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => {
                let texts = parts.iter().filter_map(|part| match part {
                    CompletionPart::Text { text } => Some(text.as_str()),
                    _ => None,
                });
                texts.collect::<Vec<_>>().join("\n")
            }
        };
        self.messages.iter().map(text).collect()
    }

    /// The messages.
    pub(super) fn into_messages(self) -> Result<Vec<Message>, Problem> {
        let messages = self.messages.into_iter().enumerate();
        messages.map(|(nth, message)| message.read(&format!("messages[{nth}].content"))).collect()
    }
}

impl CompletionMessage {
    fn read(self, param: &str) -> Result<Message, Problem> {
        let role = match self.role {
            CompletionRole::System | CompletionRole::Developer => Role::System,
            CompletionRole::User => Role::User,
            CompletionRole::Assistant => Role::Assistant,
            CompletionRole::Tool | CompletionRole::Function => Role::Tool,
        };
        let content = self.content.map(|content| content.read(param)).transpose()?;
        Ok(Message { role, content: content.unwrap_or_default() })
    }
}

impl Part for CompletionPart {
    fn read(self, param: &str) -> Result<PromptBlock, Problem> {
        match self {
            Self::Text { text } | Self::Refusal { refusal: text } => Ok(PromptBlock::Text { text }),
            Self::ImageUrl { image_url: ImageUrl::Object { url } | ImageUrl::Bare(url) } => {
                media::picture_of_url(param, &url)
            }
            Self::File { file: File { filename, file_data: Some(data) } } => {
                media::file(param, filename.as_deref(), &data)
            }
            Self::File { .. } => {
                let detail = "no file is kept here: send it as file_data, in base64";
                Err(invalid(param, "file_id_unsupported", detail))
            }
            Self::Other => {
                let detail = "an agent takes text, image_url and file, and no other part";
                Err(invalid(param, "content_type_unsupported", detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut body: Value) -> CompletionRequest {
        body["model"] = "m".into();
        if body["messages"].is_null() {
            body["messages"] = json!([{ "role": "user", "content": "hi" }]);
        }
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn what_changes_the_meaning_is_refused_by_name() {
        for (param, value) in [
            ("n", json!(2)),
            ("tools", json!([{ "type": "function" }])),
            ("functions", json!([{ "name": "f" }])),
            ("logprobs", json!(true)),
            ("top_logprobs", json!(3)),
            ("audio", json!({ "voice": "x" })),
            ("modalities", json!(["text", "audio"])),
            ("response_format", json!({ "type": "json_object" })),
        ] {
            let problem = read(json!({ param: value })).check().unwrap_err();
            assert_eq!(problem.code, "unsupported_parameter");
            assert_eq!(problem.errors[0].field, param);
        }
    }

    #[test]
    fn what_changes_nothing_is_taken() {
        let body = json!({
            "n": 1, "tools": [], "logprobs": false, "top_logprobs": null, "modalities": ["text"],
            "response_format": { "type": "text" }, "temperature": 0.2, "top_p": 1, "max_tokens": 9,
            "max_completion_tokens": 9, "stop": ["x"], "seed": 1, "presence_penalty": 0, "frequency_penalty": 0,
            "logit_bias": {}, "tool_choice": "none", "reasoning_effort": "low", "store": false, "whatever": 1,
        });
        read(body).check().unwrap();
    }

    #[test]
    fn messages_have_texts_and_parts() {
        let body = json!({ "messages": [
            { "role": "developer", "content": "be kind" },
            { "role": "assistant", "content": null, "tool_calls": [] },
            { "role": "tool", "content": "42", "tool_call_id": "t" },
            { "role": "user", "content": [
                { "type": "text", "text": "look" },
                { "type": "file", "file": { "filename": "a.txt", "file_data": "data:text/plain;base64,aGk=" } },
            ], "name": "me" },
        ]});
        let request = read(body);
        assert_eq!(request.texts(), ["be kind", "", "42", "look"]);
        let messages = request.into_messages().unwrap();
        let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::Assistant, Role::Tool, Role::User]);
        assert_eq!(messages[3].content[1], media::text_file(Some("a.txt"), "hi"));
    }

    #[test]
    fn a_part_that_cannot_be_taken_is_named() {
        for (part, code) in [
            (
                json!({ "type": "image_url", "image_url": { "url": "https://x/y.png" } }),
                "image_url_unsupported",
            ),
            (json!({ "type": "image_url", "image_url": "data:image/png;base64,aGk=" }), "image_invalid"),
            (json!({ "type": "file", "file": { "file_id": "file-1" } }), "file_id_unsupported"),
            (json!({ "type": "input_audio", "input_audio": {} }), "content_type_unsupported"),
        ] {
            let body = json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": "x" }, part] }] });
            let problem = read(body).into_messages().unwrap_err();
            assert_eq!((problem.code, &*problem.errors[0].field), (code, "messages[0].content[1]"));
        }
    }
}
