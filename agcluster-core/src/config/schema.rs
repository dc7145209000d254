//! The JSON Schema of the format, for editors and for whoever makes configurations by program.
//!
//! Names and descriptions are the model's own fields and their comments; words and bounds are the tables that the parser
//! reads with, so that neither says something that the other does not know. What a schema cannot say, such as that two fields fit
//! each other, is left to the parser. As for the parser, `null` is absent, and a field that nobody knows is no mistake.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::model::AgentConfig;
use super::names::{self, MAX_NAME};
use super::{agents, document, files, tools};

/// The schema as a document.
pub(super) fn document() -> Value {
    let mut schema = schemars::schema_for!(AgentConfig).to_value();
    schema["title"] = "AgCluster agent configuration".into();
    schema["description"] = "What an agent is, what it may do and how much it may use.".into();
    schema["required"] = json!(["id", "name"]);
    for definition in schema["$defs"].as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        let Some(definition) = definition.as_object_mut() else { continue };
        // The parser warns of a field that nobody knows, and goes on.
        definition.remove("additionalProperties");
        // What may be `null` may be absent. The model writes it all the same, so that it counts as required.
        let properties = definition.get("properties").cloned().unwrap_or_default();
        if let Some(required) = definition.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name.as_str().is_some_and(|name| !may_be_null(&properties[name])));
            if required.is_empty() {
                definition.remove("required");
            }
        }
    }
    schema
}

/// Whether a schema of the model's takes `null`.
fn may_be_null(schema: &Value) -> bool {
    let null = json!("null");
    let kind = &schema["type"];
    let one_of = schema["anyOf"].as_array().into_iter().chain(schema["oneOf"].as_array()).flatten();
    *kind == null
        || kind.as_array().is_some_and(|kinds| kinds.contains(&null))
        || one_of.into_iter().any(may_be_null)
}

fn words<T>(table: &[(&str, T)]) -> Value {
    table.iter().map(|(word, _)| json!(word)).chain([Value::Null]).collect()
}

/// A text that may be absent.
pub(super) fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"] })
}

pub(super) fn id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": format!("^[a-z0-9_-]{{1,{MAX_NAME}}}$") })
}

pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}

fn tool_list() -> Value {
    let tool = json!({ "anyOf": [
        { "enum": tools::BUILT_IN_TOOLS },
        { "type": "string", "pattern": "^mcp__[A-Za-z0-9_*-]+$" },
    ]});
    json!({ "type": ["array", "null"], "items": tool })
}

pub(super) fn tool_names(_: &mut SchemaGenerator) -> Schema {
    schema(tool_list())
}

pub(super) fn system_prompt(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": ["string", "null"] },
        {
            "type": "object",
            "properties": {
                "type": { "const": "preset" },
                "preset": { "const": "claude_code" },
                "append": { "type": ["string", "null"], "description": "Added at its end." },
            },
            "required": ["type", "preset"],
        },
    ]})
}

/// Environment variables: names that are free, and texts.
fn variables() -> Value {
    json!({
        "type": ["object", "null"],
        "propertyNames": {
            "pattern": format!("^[A-Za-z_][A-Za-z0-9_]{{0,{}}}$", MAX_NAME - 1),
            "not": { "anyOf": [
                { "enum": names::RESERVED },
                { "pattern": format!("^{}", names::RESERVED_PREFIX) },
            ]},
        },
        "additionalProperties": { "type": ["string", "null"] },
    })
}

pub(super) fn env(_: &mut SchemaGenerator) -> Schema {
    schema(variables())
}

pub(super) fn mcp_servers(_: &mut SchemaGenerator) -> Schema {
    let local = json!({
        "type": "object",
        "description": "A program beside the agent.",
        "properties": {
            "type": { "enum": ["stdio", null] },
            "command": { "type": "string", "pattern": "\\S" },
            "args": { "type": ["array", "null"], "items": { "type": "string" } },
            "env": variables(),
        },
        "required": ["command"],
    });
    let remote = json!({
        "type": "object",
        "description": "A server somewhere else.",
        "properties": {
            "type": { "enum": ["sse", "http"] },
            "url": { "type": "string", "pattern": "^https?://" },
            "headers": {
                "type": ["object", "null"],
                "propertyNames": { "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" },
                "additionalProperties": { "type": ["string", "null"] },
            },
        },
        "required": ["type", "url"],
    });
    json_schema!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^(_?[A-Za-z0-9-]+)*_?$", "minLength": 1, "maxLength": MAX_NAME },
        "additionalProperties": { "anyOf": [local, remote, { "type": "null" }] },
    })
}

pub(super) fn permission_mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": words(&document::PERMISSION_MODES) })
}

pub(super) fn sub_agents(_: &mut SchemaGenerator) -> Schema {
    let agent = json!({
        "type": "object",
        "properties": {
            "description": { "type": "string", "description": "When to use it; read by the main agent." },
            "prompt": { "type": "string", "description": "Its system prompt." },
            "tools": tool_list(),
            "model": { "enum": words(&agents::MODELS) },
        },
        "required": ["description", "prompt"],
    });
    json_schema!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "\\S", "maxLength": MAX_NAME },
        "additionalProperties": { "anyOf": [agent, { "type": "null" }] },
    })
}

fn bounded(bounds: &std::ops::RangeInclusive<i64>) -> Value {
    json!({ "type": ["integer", "null"], "minimum": bounds.start(), "maximum": bounds.end() })
}

pub(super) fn cpu_quota(_: &mut SchemaGenerator) -> Schema {
    schema(bounded(&document::CPU_QUOTA))
}

pub(super) fn max_turns(_: &mut SchemaGenerator) -> Schema {
    schema(bounded(&document::MAX_TURNS))
}

pub(crate) fn seconds(_: &mut SchemaGenerator) -> Schema {
    schema(bounded(&super::policy::SECONDS))
}

pub(crate) fn answer_seconds(_: &mut SchemaGenerator) -> Schema {
    schema(bounded(&super::policy::ANSWER_SECONDS))
}

pub(super) fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "pattern": "^\\s*[0-9]+\\s*([bB]|[kKmMgGtT][bB]?)?\\s*$",
        "examples": ["512m", "4g"],
    })
}

/// The name of a model or an image.
pub(super) fn reference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "pattern": "^[!#%&(-,.-\\[\\]-_a-~][!#%&(-\\[\\]-_a-~]{0,255}$",
    })
}

pub(super) fn cwd(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "pattern": format!("^{}(/|$)", names::WORKSPACE),
        "not": { "type": "string", "pattern": "(^|/)\\.\\.?(/|$)" },
    })
}

pub(super) fn setting_sources(_: &mut SchemaGenerator) -> Schema {
    let sources: Vec<&str> = document::SETTING_SOURCES.iter().map(|(word, _)| *word).collect();
    json_schema!({ "type": ["array", "null"], "items": { "enum": sources } })
}

pub(super) fn driver(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": words(&document::DRIVERS) })
}

pub(super) fn seeded_files(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "maxProperties": files::MAX_FILES,
        "propertyNames": {
            "pattern": format!("^({}/)?[^/]+(/[^/]+)*$", names::WORKSPACE),
            "not": { "pattern": "(^|/)\\.\\.?(/|$)" },
        },
        "additionalProperties": { "type": ["string", "null"] },
    })
}

fn schema(value: Value) -> Schema {
    value.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests;
