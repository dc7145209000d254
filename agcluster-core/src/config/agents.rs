//! Sub-agents.

use std::collections::BTreeMap;

use agcluster_protocol::{SubAgent, SubAgentModel};

use super::document::tool_list;
use super::names;
use super::read::{Field, Reader};

pub(super) const MODELS: [(&str, SubAgentModel); 4] = [
    ("sonnet", SubAgentModel::Sonnet),
    ("opus", SubAgentModel::Opus),
    ("haiku", SubAgentModel::Haiku),
    ("inherit", SubAgentModel::Inherit),
];

/// Reads sub-agents by name.
pub(super) fn read(reader: &mut Reader, field: &Field<'_>) -> BTreeMap<String, SubAgent> {
    reader.map(field, |reader, name, field| {
        if let Some(fault) = names::agent_name_fault(name) {
            reader.problem(field, fault);
        }
        let object = reader.object(field)?;
        let description = reader.required(&object, "description", "say when to use this sub-agent");
        let prompt = reader.required(&object, "prompt", "write its system prompt");
        let tools = object.get("tools").map(|field| tool_list(reader, &field));
        let model = object.get("model").and_then(|field| reader.word(&field, &MODELS));
        reader.unknown(&object, &["description", "prompt", "tools", "model"]);
        Some(SubAgent { description: description?.to_owned(), prompt: prompt?.to_owned(), tools, model })
    })
}
