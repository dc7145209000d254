//! The description all the way down: wherever anything at all could stand, there is a reason why.

use super::*;

/// Where anything may stand, and why.
const FREE: &[(&str, &[&str])] = &[
    (
        "a tool's input: its shape is the tool's",
        &[
            "Answer[allow].input",
            "Block[tool_call].input",
            "ChatPiece[tool_use].tool_input",
            "ChatTool.tool_input",
            "Decision[allow].input",
            "Event[tool_call].input",
            "PermissionRequest.input",
            "RequestAnswer[allow].input",
            "SdkKnownBlock[tool_use].input",
        ],
    ),
    (
        "what a tool gave: a text or blocks, whose shape is the tool's",
        &[
            "Block[tool_result].content",
            "ChatPiece[tool_complete].output",
            "ChatTool.output",
            "Event[tool_result].content",
            "Event[tool_result].structured",
            "Item.output",
            "SdkKnownBlock[tool_result].content",
            "ToolResult.content",
        ],
    ),
    (
        "output in the shape of the schema that a request brought along",
        &["ChatCost.structured_output", "TurnEnd.structured_output", "WholeJob.structured_output"],
    ),
    (
        "handed on as the agent program said it",
        &[
            "Block[note].content",
            "Block[other].block",
            "Event.extra.*",
            "Event[39].*",
            "Event[background_tasks].tasks[]",
            "Event[block].block",
            "Event[note].content",
            "Event[transcript].entries[]",
            "Event[vendor].payload",
            "PermissionRequest.suggestions[]",
            "TaskEnd.usage",
        ],
    ),
    (
        "refused whatever is in it",
        &[
            "UnsupportedInCompletion.audio",
            "UnsupportedInCompletion.functions[]",
            "UnsupportedInCompletion.tools[]",
            "UnsupportedInResponse.conversation",
            "UnsupportedInResponse.prompt",
            "UnsupportedInResponse.tools[]",
            "post /v1/messages.tools[]",
        ],
    ),
    (
        "a client's own words about its request",
        &[
            "ResponseObject.metadata.*",
            "post /chat/completions.metadata.*",
            "post /v1/chat/completions.metadata.*",
            "post /v1/responses.metadata.*",
        ],
    ),
    (
        "a schema, whose shape is another document's business",
        &["get /api/configs/schema", "get /openapi.json"],
    ),
];

/// Goes through schemas, each named one once, and keeps the places that say nothing of what is there.
struct Walk<'a> {
    document: &'a Value,
    seen: BTreeSet<&'a str>,
    free: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn schema(&mut self, schema: &'a Value, place: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            if self.seen.insert(name) {
                self.schema(self.document.pointer(reference.trim_start_matches('#')).unwrap(), name);
            }
            return;
        }
        let before = self.free.len();
        let parts = self.parts(schema, place);
        let is_said = match kind(&schema["type"]) {
            Some("object") | None => {
                let is_closed = schema["additionalProperties"] == false;
                parts > 0 || is_closed || schema.get("const").is_some() || schema.get("enum").is_some()
            }
            // One that is always empty has nothing in it to say something of.
            Some("array") => parts > 0 || schema["maxItems"] == 0,
            Some(_) => true,
        };
        if !is_said && self.free.len() == before {
            self.free.insert(place.to_owned());
        }
    }

    /// Goes through what a schema consists of, and tells how many parts that are.
    fn parts(&mut self, schema: &'a Value, place: &str) -> usize {
        let mut parts = Vec::new();
        for (key, alternatives) in ["oneOf", "anyOf", "allOf"].map(|key| (key, &schema[key])) {
            for (nth, part) in alternatives.as_array().into_iter().flatten().enumerate() {
                let place = match key {
                    "allOf" => place.to_owned(),
                    _ => format!("{place}[{}]", variant(part).unwrap_or_else(|| nth.to_string())),
                };
                parts.push((part, place));
            }
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            parts.push((field, format!("{place}.{name}")));
        }
        for (key, sign) in [("additionalProperties", ".*"), ("items", "[]"), ("contentSchema", "")] {
            let part = schema.get(key).filter(|part| **part != false && schema["maxItems"] != 0);
            parts.extend(part.map(|part| (part, format!("{place}{sign}"))));
        }
        let count = parts.len();
        for (part, place) in parts {
            self.schema(part, &place);
        }
        count
    }
}

/// The type of what is there, if something is.
fn kind(types: &Value) -> Option<&str> {
    let list = types.as_array().into_iter().flatten();
    types.as_str().or_else(|| list.filter_map(Value::as_str).find(|kind| *kind != "null"))
}

/// What an alternative is told apart by.
fn variant(schema: &Value) -> Option<String> {
    let mut fields = schema["properties"].as_object()?.values();
    let name = fields.find_map(|field| field["const"].as_str().or_else(|| field["enum"].get(0)?.as_str()));
    name.map(str::to_owned)
}

#[test]
fn wherever_anything_may_stand_there_is_a_reason() {
    let document = document();
    let mut walk = Walk { document: &document, seen: BTreeSet::new(), free: BTreeSet::new() };
    let mut bodies = 0;
    for (name, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap().values();
        let contents = responses.chain(operation.get("requestBody")).filter_map(|body| body.get("content"));
        for (kind, content) in contents.flat_map(|content| content.as_object().unwrap()) {
            if ["json", "yaml", "event-stream"].iter().any(|known| kind.contains(known)) {
                bodies += 1;
                walk.schema(&content["schema"], &name);
            }
        }
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            walk.schema(&parameter["schema"], &format!("{name}?{}", parameter["name"]));
        }
    }
    assert!(bodies > 200 && walk.seen.len() > 200, "only {bodies} bodies of {} types", walk.seen.len());
    let known: BTreeSet<_> =
        FREE.iter().flat_map(|(_, places)| *places).map(|place| (*place).to_owned()).collect();
    assert_eq!(walk.free, known, "name the type, or say in FREE why there is none");
}
