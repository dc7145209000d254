//! Configurations as they are sent: less has to be there than in one that is answered, where every field stands.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What an answered configuration is described as.
const ANSWERED: &str = "AgentConfig";

/// A configuration to keep.
pub(crate) struct ConfigDocument;
/// A configuration that is used once, which needs no name.
pub(crate) struct InlineConfig;

impl PartialSchema for ConfigDocument {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name(Self::name()).into()
    }
}

impl ToSchema for ConfigDocument {
    fn name() -> Cow<'static, str> {
        "ConfigDocument".into()
    }
}

impl PartialSchema for InlineConfig {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name(Self::name()).into()
    }
}

impl ToSchema for InlineConfig {
    fn name() -> Cow<'static, str> {
        "InlineConfig".into()
    }
}

/// Adds their schemas to those of the library.
pub(super) fn add(definitions: &mut Map<String, Value>) {
    let Some(answered) = definitions.get(ANSWERED).cloned() else { return };
    for (name, required) in
        [(ConfigDocument::name(), json!(["id", "name"])), (InlineConfig::name(), json!([]))]
    {
        let mut sent = answered.clone();
        sent["required"] = required;
        definitions.insert(name.into_owned(), sent);
    }
}
