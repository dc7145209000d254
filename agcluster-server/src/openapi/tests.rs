use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::*;
use crate::problem::registry::PROBLEMS;

fn described() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, &Map<String, Value>)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation.as_object().unwrap()))
    });
    operations.collect()
}

#[test]
fn every_operation_says_what_it_is() {
    let document = described();
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no operationId"));
        assert!(ids.insert(id.to_owned()), "{name}: another operation is called {id}");
        assert!(
            operation.get("summary").is_some_and(|summary| !summary.as_str().unwrap().is_empty()),
            "{name} has no summary"
        );
        let own: Vec<_> = operation["tags"].as_array().unwrap().iter().collect();
        assert!(own.len() == 1 && tags.contains(&own[0]), "{name} needs one tag of the document: {own:?}");
    }
}

#[test]
fn who_needs_a_key_says_what_happens_without() {
    for (name, operation) in operations(&described()) {
        if operation.contains_key("security") {
            assert!(operation["responses"].get("401").is_some(), "{name} has a key, but no 401");
        }
        let takes_something = operation.contains_key("parameters") || operation.contains_key("requestBody");
        let refuses =
            operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('4'));
        assert!(!takes_something || refuses, "{name} takes something, but refuses nothing");
    }
}

/// Codes in the text of the sources, with their statuses where these stand beside them.
fn written(source: &str) -> Vec<(Option<String>, String)> {
    let compact: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
    let literal = |text: &str| {
        text.trim_start()
            .strip_prefix('"')
            .and_then(|text| text.split_once('"'))
            .map(|(code, _)| code.to_owned())
    };
    let mut found = Vec::new();
    for after in compact.split("StatusCode::").skip(1) {
        let (status, rest) = after.split_once(',').unwrap_or_default();
        if let Some(code) = literal(rest) {
            found.push((Some(status.to_owned()), code));
        }
    }
    for after in compact.split("bad_request(").skip(1) {
        found.extend(literal(after).map(|code| (Some("BAD_REQUEST".to_owned()), code)));
    }
    found
}

fn sources(folder: &Path, all: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            all.push((path.display().to_string(), code));
        }
    }
}

fn is_known(status: u16, code: &str) -> bool {
    PROBLEMS.iter().any(|known| (known.status, known.code) == (status, code))
}

#[test]
fn every_code_that_is_written_down_is_in_the_registry() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut seen = 0;
    for (file, source) in all {
        for (status, code) in written(&source) {
            let known = PROBLEMS.iter().filter(|known| known.code == code).map(|known| known.status);
            let name = |status: u16| {
                let status = axum::http::StatusCode::from_u16(status).unwrap();
                status.canonical_reason().unwrap().to_uppercase().replace([' ', '-'], "_")
            };
            let statuses: Vec<_> = known.map(name).collect();
            assert!(!statuses.is_empty(), "{file}: {code} is not in problem/registry.rs");
            if let Some(status) = status {
                assert!(
                    statuses.contains(&status),
                    "{file}: {code} comes with {status}, the registry says {statuses:?}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} codes were found: does this test still read the sources rightly?");
}

#[test]
fn every_refusal_of_the_workspace_is_in_the_registry() {
    for (code, status) in agcluster_core::protocol::workspace::REFUSALS {
        assert!(is_known(*status, code), "{code} ({status}) is not in problem/registry.rs");
    }
}

#[test]
fn what_is_not_described_is_not_served() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let plain: Vec<_> = all
        .iter()
        .flat_map(|(file, source)| {
            source.lines().filter(|line| line.contains(".route(\"")).map(move |line| (file, line.trim()))
        })
        .collect();
    let aliases: Vec<_> = plain.iter().map(|(_, line)| *line).collect();
    assert_eq!(aliases, [".route(\"/api/configs\", get(configs::list))"], "describe them: {plain:?}");
}
