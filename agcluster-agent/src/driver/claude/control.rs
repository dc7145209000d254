//! Lines to the program.

use agcluster_protocol::PromptBlock;
use serde_json::{Value, json};
use uuid::Uuid;

/// A request of ours.
pub(super) fn request(request_id: &str, request: Value) -> Value {
    json!({"type": "control_request", "request_id": request_id, "request": request})
}

/// The answer to a request of the program's.
pub(super) fn answer(request_id: &str, response: Value) -> Value {
    json!({
        "type": "control_response",
        "response": {"subtype": "success", "request_id": request_id, "response": response},
    })
}

/// The answer to a request that nobody here understands.
pub(super) fn refusal(request_id: &str, error: &str) -> Value {
    json!({
        "type": "control_response",
        "response": {"subtype": "error", "request_id": request_id, "error": error},
    })
}

/// A prompt, under the id of its turn or its own: the program names it where it says which prompts a result is for.
pub(super) fn prompt(id: Uuid, prompt: &[PromptBlock]) -> Value {
    let content = match prompt {
        // A text alone may also be one of the program's commands, such as `/compact`.
        [PromptBlock::Text { text }] => Value::from(text.as_str()),
        blocks => blocks.iter().map(block).collect(),
    };
    json!({
        "type": "user",
        "message": {"role": "user", "content": content},
        "parent_tool_use_id": null,
        "uuid": id,
    })
}

fn block(block: &PromptBlock) -> Value {
    match block {
        PromptBlock::Text { text } => json!({"type": "text", "text": text}),
        PromptBlock::Image { media_type, data } => {
            json!({"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}})
        }
        PromptBlock::Document { media_type, data, title } => {
            let source = json!({"type": "base64", "media_type": media_type, "data": data});
            let mut document = json!({"type": "document", "source": source});
            if let Some(title) = title {
                document["title"] = Value::from(title.as_str());
            }
            document
        }
    }
}
