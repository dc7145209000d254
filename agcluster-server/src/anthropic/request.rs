//! What a message is asked with.

use agcluster_core::protocol::PromptBlock;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Problem;
use crate::compat::messages::{Message, Role};
use crate::compat::talk::Wish;
use crate::compat::{OWN_TOOLS, invalid, media, supported};

/// The body. Fields that an agent has nothing to do with are not here, and are ignored: sampling, lengths, stop words.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::anthropic) struct MessagesRequest {
    pub(super) model: String,
    messages: Vec<MessageParam>,
    system: Option<Content>,
    #[serde(default)]
    pub(super) stream: bool,
    metadata: Option<Metadata>,
    tools: Option<Vec<Value>>,
    /// Ours: whether to wait for the end of a running turn.
    #[serde(default)]
    pub(super) queue: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
struct Metadata {
    user_id: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct MessageParam {
    role: ParamRole,
    content: Content,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ParamRole {
    User,
    Assistant,
    System,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ParamContent)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = ParamBlock)]
enum Block {
    Text {
        text: String,
    },
    Image {
        source: Source,
    },
    Document {
        source: Source,
        title: Option<String>,
    },
    /// What an earlier answer had besides text; the agent that gave it knows.
    Thinking {},
    RedactedThinking {},
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Base64 {
        media_type: String,
        data: String,
    },
    Text {
        data: String,
    },
    #[serde(other)]
    Elsewhere,
}

impl MessagesRequest {
    /// Refuses what cannot be done.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let has_tools = self.tools.as_ref().is_some_and(|tools| !tools.is_empty());
        supported([(has_tools, "tools", OWN_TOOLS)])
    }

    /// The agent and the session that it asks for.
    pub(super) fn wish(&self) -> Wish {
        let user = self.metadata.as_ref().and_then(|metadata| metadata.user_id.clone());
        Wish {
            model: self.model.clone(),
            user: user.map(|user| ("metadata.user_id", user)),
            queue: self.queue,
            ..Wish::default()
        }
    }

    /// The messages, what the system says before all others.
    pub(super) fn into_messages(self) -> Result<Vec<Message>, Problem> {
        let system =
            self.system.map(|system| Ok(Message { role: Role::System, content: system.read("system")? }));
        let messages = self.messages.into_iter().enumerate().map(|(nth, message)| {
            let role = match message.role {
                ParamRole::User => Role::User,
                ParamRole::Assistant => Role::Assistant,
                ParamRole::System => Role::System,
            };
            Ok(Message { role, content: message.content.read(&format!("messages.{nth}.content"))? })
        });
        let messages = messages.collect::<Result<Vec<_>, Problem>>()?;
        if messages.is_empty() {
            return Ok(messages);
        }
        system.into_iter().chain(messages.into_iter().map(Ok)).collect()
    }
}

impl Content {
    fn read(self, param: &str) -> Result<Vec<PromptBlock>, Problem> {
        match self {
            Self::Text(text) => Ok(vec![PromptBlock::Text { text }]),
            Self::Blocks(blocks) => {
                let blocks = blocks.into_iter().enumerate();
                blocks.filter_map(|(nth, block)| block.read(&format!("{param}.{nth}")).transpose()).collect()
            }
        }
    }
}

impl Block {
    fn read(self, param: &str) -> Result<Option<PromptBlock>, Problem> {
        let block = match self {
            Self::Text { text } => PromptBlock::Text { text },
            Self::Image { source: Source::Base64 { media_type, data } } => {
                media::picture(param, &media_type, &data)?
            }
            Self::Document { source: Source::Text { data }, title } => {
                media::text_file(title.as_deref(), &data)
            }
            Self::Document { source: Source::Base64 { media_type, data }, title } => {
                media::file(param, title.as_deref(), &format!("data:{media_type};base64,{data}"))?
            }
            Self::Image { .. } | Self::Document { .. } => {
                let detail = "only what is in the request itself is taken, in base64: nothing is fetched from elsewhere";
                return Err(invalid(param, "source_unsupported", detail));
            }
            Self::Thinking {} | Self::RedactedThinking {} => return Ok(None),
            Self::Other => {
                let detail = "an agent takes text, image and document, and no other block";
                return Err(invalid(param, "content_type_unsupported", detail));
            }
        };
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut body: Value) -> MessagesRequest {
        body["model"] = "m".into();
        body["max_tokens"] = 100.into();
        if body["messages"].is_null() {
            body["messages"] = json!([{ "role": "user", "content": "hi" }]);
        }
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn messages_have_texts_and_blocks() {
        let request = read(json!({
            "system": [{ "type": "text", "text": "be kind", "cache_control": { "type": "ephemeral" } }],
            "metadata": { "user_id": "u1" },
            "thinking": { "type": "enabled", "budget_tokens": 1024 },
            "messages": [
                { "role": "user", "content": "hi" },
                { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm", "signature": "s" }, { "type": "text", "text": "yes?" }] },
                { "role": "user", "content": [{ "type": "document", "title": "a.txt", "source": { "type": "text", "media_type": "text/plain", "data": "hello" } }] },
            ],
        }));
        request.check().unwrap();
        assert_eq!(request.wish().user, Some(("metadata.user_id", "u1".to_owned())));
        let messages = request.into_messages().unwrap();
        assert_eq!(messages[0], Message::text(Role::System, "be kind"));
        assert_eq!(messages[2], Message::text(Role::Assistant, "yes?"));
        assert_eq!(messages[3].content, [media::text_file(Some("a.txt"), "hello")]);
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        assert_eq!(read(json!({ "tools": [{ "name": "x" }] })).check().unwrap_err().errors[0].field, "tools");
        for (block, code) in [
            (
                json!({ "type": "image", "source": { "type": "url", "url": "https://x/y.png" } }),
                "source_unsupported",
            ),
            (
                json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aGk=" } }),
                "image_invalid",
            ),
            (json!({ "type": "tool_result", "tool_use_id": "t" }), "content_type_unsupported"),
        ] {
            let problem =
                read(json!({ "messages": [{ "role": "user", "content": [block] }] })).into_messages();
            let problem = problem.unwrap_err();
            assert_eq!((problem.code, &*problem.errors[0].field), (code, "messages.0.content.0"));
        }
    }
}
