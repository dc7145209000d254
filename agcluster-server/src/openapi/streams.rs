//! Streams of server-sent events in the description. A handler names the schema of the data; what is described is a frame with that data.

use serde_json::{Value, json};

const STREAM: &str = "text/event-stream";
/// Streams whose last datum is `[DONE]`, which is no JSON, by the schemas of the data before it.
const MARKED: &[&str] = &["ChatFrame", "JobDatum", "CompletionChunk"];

/// Puts a frame around the schema of every stream.
pub(super) fn describe(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = paths.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut());
    let responses = operations.filter_map(|operation| operation.get_mut("responses")?.as_object_mut());
    for response in responses.flat_map(|responses| responses.values_mut()) {
        if let Some(schema) = response.pointer_mut(&format!("/content/{}/schema", STREAM.replace('/', "~1")))
        {
            *schema = frame(schema.take());
        }
    }
}

fn frame(data: Value) -> Value {
    let schema = data["$ref"].as_str().unwrap_or_default();
    let is_marked = MARKED.iter().any(|marked| schema.contains(marked));
    let mut text = json!({ "type": "string", "contentMediaType": "application/json", "contentSchema": data });
    if is_marked {
        text = json!({ "anyOf": [text, { "const": "[DONE]" }] });
    }
    json!({
        "type": "object",
        "description": "A server-sent event. Comments keep a silent stream open.",
        "properties": {
            "id": { "type": "string", "description": "Send the last one as Last-Event-ID to go on behind it" },
            "event": { "type": "string" },
            "data": text,
        },
        "required": ["data"],
    })
}
