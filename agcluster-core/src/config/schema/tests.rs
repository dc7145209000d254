//! The schema, the parser and the file in the repository say the same.

use std::path::Path;

use proptest::prelude::*;
use regex::Regex;

use super::super::tests::{any_json, bad, full};
use super::*;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/agent.schema.json");

#[test]
fn the_file_in_the_repository_is_what_the_code_says() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("AGCLUSTER_UPDATE").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(written, text, "the schema is stale: run this test with AGCLUSTER_UPDATE=1");
}

#[test]
fn it_has_the_fields_of_the_parser_and_describes_each() {
    let schema = document();
    let properties = schema["properties"].as_object().unwrap();
    let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
    let mut fields = document::FIELDS.to_vec();
    names.sort_unstable();
    fields.sort_unstable();
    assert_eq!(names, fields);
    for (name, property) in properties {
        let description = property["description"].as_str().unwrap_or_default();
        assert!(!description.is_empty() && !description.contains("]("), "{name}: {description:?}");
    }
}

/// Whether a value fits the schema. Fails on a word that it does not know, so that none goes unheeded.
fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(words) = schema.as_object() else { return schema != &Value::Bool(false) };
    let text = value.as_str();
    let list = |word: &str| schema[word].as_array().into_iter().flatten();
    let length = text.map(|text| text.chars().count() as u64);
    words.iter().all(|(word, said)| match word.as_str() {
        "$schema" | "$defs" | "title" | "description" | "examples" | "format" | "default" => true,
        "$ref" => fits(root, root.pointer(&said.as_str().unwrap()[1..]).unwrap(), value),
        "anyOf" => list(word).any(|schema| fits(root, schema, value)),
        "oneOf" => list(word).filter(|schema| fits(root, schema, value)).count() == 1,
        "not" => !fits(root, said, value),
        "enum" => list(word).any(|allowed| allowed == value),
        "const" => said == value,
        "type" => match said {
            Value::String(kind) => is_a(value, kind),
            kinds => kinds.as_array().unwrap().iter().any(|kind| is_a(value, kind.as_str().unwrap())),
        },
        "pattern" => text.is_none_or(|text| Regex::new(said.as_str().unwrap()).unwrap().is_match(text)),
        "minLength" => length.is_none_or(|length| length >= said.as_u64().unwrap()),
        "maxLength" => length.is_none_or(|length| length <= said.as_u64().unwrap()),
        "minimum" => value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= said.as_f64().unwrap()),
        "items" => value.as_array().into_iter().flatten().all(|item| fits(root, said, item)),
        "maxProperties" => {
            value.as_object().is_none_or(|object| object.len() as u64 <= said.as_u64().unwrap())
        }
        "required" => value
            .as_object()
            .is_none_or(|object| list(word).all(|name| object.contains_key(name.as_str().unwrap()))),
        "propertyNames" => {
            value.as_object().into_iter().flatten().all(|(name, _)| fits(root, said, &name.as_str().into()))
        }
        "properties" => value
            .as_object()
            .into_iter()
            .flatten()
            .all(|(name, field)| said.get(name).is_none_or(|schema| fits(root, schema, field))),
        "additionalProperties" => value
            .as_object()
            .into_iter()
            .flatten()
            .all(|(name, field)| schema["properties"].get(name).is_some() || fits(root, said, field)),
        unknown => panic!("the checker does not know {unknown}"),
    })
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        unknown => panic!("the checker does not know the type {unknown}"),
    }
}

fn is_valid(value: &Value) -> bool {
    let schema = document();
    fits(&schema, &schema, value)
}

#[test]
fn what_the_parser_takes_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/presets");
    for preset in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(preset.unwrap().path()).unwrap();
        let document: Value = serde_saphyr::from_str(&text).unwrap();
        assert!(is_valid(&document), "{document}");
        let normalised = AgentConfig::from_json(document).unwrap().config;
        assert!(is_valid(&serde_json::to_value(normalised).unwrap()));
    }
    assert!(is_valid(&full()));
    assert!(is_valid(
        &json!({"id": "x", "name": "X", "session": {"idle_timeout": 0, "idle_action": "stop"}, "approvals": null})
    ));
    assert!(is_valid(&json!({"id": "x", "name": "X", "a_field_of_tomorrow": 1, "files": {"a/b": "c"}})));
}

#[test]
fn what_the_parser_refuses_is_mostly_invalid() {
    let (mut refused, mut seen) = (0, Vec::new());
    for (text, _) in bad::FIELDS {
        let Ok(document) = serde_saphyr::from_str::<Value>(&format!("{}{text}", bad::HEAD)) else { continue };
        refused += 1;
        if is_valid(&document) {
            seen.push(*text);
        }
    }
    assert!(refused > 30 && seen.len() * 3 < refused, "{} of {refused} are valid: {seen:#?}", seen.len());
}

#[test]
fn bounds_are_those_of_the_parser() {
    for (field, values) in [
        ("max_turns", vec![json!(0), json!(1), json!(1_000_000), json!(1_000_001), json!(1.5)]),
        (
            "resource_limits",
            [999, 1_000, 100_000_000, 100_000_001].map(|quota| json!({"cpu_quota": quota})).to_vec(),
        ),
        ("approvals", [0, 1, 604_800, 604_801].map(|timeout| json!({"timeout": timeout})).to_vec()),
        ("session", [-1, 0, 31_536_000, 31_536_001].map(|age| json!({"max_lifetime": age})).to_vec()),
        ("cwd", ["/workspace", "/workspace/a", "/workspaces", "/workspace/../x"].map(Value::from).to_vec()),
        (
            "files",
            vec![
                json!({"a/../b": "x"}),
                json!({"/etc/x": "x"}),
                json!({"/workspace/x": "x"}),
                json!({"a..b": "x"}),
            ],
        ),
    ] {
        for value in values {
            let mut config = json!({"id": "x", "name": "X"});
            config[field] = value;
            assert_eq!(is_valid(&config), AgentConfig::from_json(config.clone()).is_ok(), "{config}");
        }
    }
}

/// Without the entries that are `null`, which the parser does not look at.
fn present(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let there = entries.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(there.map(|(name, value)| (name, present(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(present).collect(),
        value => value,
    }
}

proptest! {
    #[test]
    fn no_document_is_taken_that_is_not_valid(mut config in prop::collection::hash_map(prop::sample::select(document::FIELDS.to_vec()).prop_map(str::to_owned), any_json(), 0..4)) {
        config.insert("id".into(), "x".into());
        config.insert("name".into(), "X".into());
        let config = Value::Object(config.into_iter().collect());
        if AgentConfig::from_json(config.clone()).is_ok() {
            let config = present(config);
            prop_assert!(is_valid(&config), "{}", config);
        }
    }
}
