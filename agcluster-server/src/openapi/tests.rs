mod depth;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::*;
use crate::problem::registry::PROBLEMS;

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
    let document = document();
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
    for (name, operation) in operations(&document()) {
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

/// What the arms of a `match` give: `=> "code"`.
fn arms(source: &str) -> Vec<&str> {
    source.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_code_of_sessions_and_platforms_is_in_the_registry() {
    let (_, after) =
        include_str!("../../../agcluster-core/src/session/error.rs").split_once("pub fn code").unwrap();
    let sessions = arms(after.split_once("\n    }\n").unwrap().0);
    let others = arms(include_str!("../problem.rs"));
    assert!(sessions.len() > 20 && others.len() > 10, "does this test still read the sources rightly?");
    // These become the codes of what failed.
    let inner = ["provider_error", "agent_error", "journal_error"];
    for code in sessions.into_iter().filter(|code| !inner.contains(code)).chain(others) {
        assert!(PROBLEMS.iter().any(|known| known.code == code), "{code} is not in problem/registry.rs");
    }
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
    // A page, an earlier spelling, and files that are called like what is done to files.
    let undescribed = |file: &str, line: &str| {
        let known = ["docs_page.rs", "routes/files.rs"];
        known.iter().any(|known| file.ends_with(known)) || line.contains("\"/api/configs\"")
    };
    for (file, source) in all {
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let lines = source.lines().filter(is_code).filter(|line| line.contains(".route("));
        let plain: Vec<_> = lines.filter(|line| !undescribed(&file, line)).collect();
        assert!(plain.is_empty(), "{file} serves what it does not describe: {plain:?}");
    }
}

/// Holds a committed file against what the code says now, or writes it.
fn committed(name: &str, now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api").join(name);
    if std::env::var_os("AGCLUSTER_UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, now).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let advice = "run this test with AGCLUSTER_UPDATE=1 and look at the difference";
    assert!(committed == now, "docs/api/{name} is stale: {advice}");
}

#[test]
fn the_committed_description_is_what_the_code_says() {
    committed("openapi.json", &(serde_json::to_string_pretty(&document()).unwrap() + "\n"));
}

#[test]
fn the_committed_table_of_codes_is_the_registry() {
    let mut page = "# Problems\n\nEvery answer that is no success is `application/problem+json` with a `code` to branch on and a `detail` that says what to do. These are \
                    all codes; the [description](openapi.json) says which of them each operation can answer.\n\n| code | status | what it means |\n|---|---|---|\n"
        .to_owned();
    let mut all: Vec<_> = PROBLEMS.iter().collect();
    all.sort_by_key(|known| (known.code, known.status));
    for known in all {
        page += &format!("| `{}` | {} | {} |\n", known.code, known.status, known.meaning);
    }
    committed("problems.md", &page);
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "only {} references", found.len());
    for reference in found {
        let target = document.pointer(reference.trim_start_matches('#'));
        assert!(target.is_some_and(|target| target.get("$ref").is_none()), "{reference} leads nowhere");
    }
}

#[test]
fn every_kind_of_event_is_described() {
    let document = document();
    let text = document["components"]["schemas"]["Event"].to_string();
    for kind in
        ["turn_started", "text_delta", "permission_requested", "session_changed", "turn_ended", "vendor"]
    {
        assert!(text.contains(&format!("\"const\":\"{kind}\"")), "{kind}: {text}");
    }
}

/// The types of the sources that are described under a name, by that name.
fn described(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for after in source.split("#[derive(").skip(1) {
        let (derived, rest) = after.split_once(")]").unwrap_or_default();
        if !derived.contains("ToSchema") {
            continue;
        }
        let (before, name) = ["struct ", "enum "]
            .iter()
            .filter_map(|kind| rest.split_once(kind))
            .min_by_key(|(before, _)| before.len())
            .unwrap_or_default();
        let name = before.split_once("schema(as = ").map_or(name, |(_, name)| name);
        found.push(name.chars().take_while(|c| c.is_alphanumeric()).collect());
    }
    found
}

#[test]
fn no_two_types_are_described_under_one_name() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let mut names: std::collections::BTreeMap<String, String> =
        schemas::definitions().into_iter().map(|(name, _)| (name, "the library".to_owned())).collect();
    let of_library = names.len();
    for (file, source) in all {
        for name in described(&source) {
            let other = names.insert(name.clone(), file.clone());
            assert!(other.is_none(), "{name} is described in {file} and in {}", other.unwrap_or_default());
        }
    }
    assert!(names.len() > of_library + 50, "does this test still read the sources rightly? {names:?}");
}
