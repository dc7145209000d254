//! Each platform's page has what whoever runs a server looks for: the same sections, every setting, every kind of error.

use std::path::{Path, PathBuf};

use agcluster_core::provider::{CapacityScope, ErrorKind};
use serde_json::{Map, Value};

use super::{factory, shipped};

const PAGES: [(&str, &str); 5] = [
    ("docker", "docker"),
    ("process", "process"),
    ("fly_machines", "fly-machines"),
    ("vercel", "vercel"),
    ("cloudflare", "cloudflare"),
];

/// Errors that whoever runs a server can do something about, as the code names them.
const KINDS: [(&str, ErrorKind); 11] = [
    ("Auth", ErrorKind::Auth),
    ("Gone", ErrorKind::Gone),
    ("AlreadyExists", ErrorKind::AlreadyExists),
    ("Capacity", ErrorKind::Capacity(CapacityScope::Platform)),
    ("RateLimited", ErrorKind::RateLimited { retry_after: None }),
    ("Quota", ErrorKind::Quota),
    ("Precondition", ErrorKind::Precondition),
    ("Invalid", ErrorKind::Invalid),
    ("Timeout", ErrorKind::Timeout),
    ("Unavailable", ErrorKind::Unavailable),
    ("Protocol", ErrorKind::Protocol),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page(file: &str) -> String {
    std::fs::read_to_string(root().join(format!("docs/providers/{file}.md"))).unwrap()
}

/// What stands beneath a heading, the rest of the heading included.
fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n## {title}")).unwrap_or_default();
    rest.split("\n## ").next().unwrap_or_default()
}

#[test]
fn every_page_has_the_same_sections_and_a_date_on_its_costs() {
    for (platform, file) in PAGES {
        let page = page(file);
        for title in [
            "Set-up from nothing",
            "Configuration",
            "Costs and limits (",
            "Security",
            "What its capabilities mean",
            "Troubleshooting",
        ] {
            assert!(section(&page, title).len() > 200, "{platform} says next to nothing under {title}");
        }
        let heading = section(&page, "Costs and limits (").lines().next().unwrap();
        assert!(heading.contains(" 20"), "{platform} has costs without a date: {heading}");
    }
}

/// The paths of all settings of a file.
fn settings(fields: &Map<String, Value>, path: &str, all: &mut Vec<String>) {
    for (name, value) in fields {
        let path = format!("{path}{name}");
        match value {
            Value::Object(inner) if !inner.is_empty() => settings(inner, &format!("{path}."), all),
            _ => all.push(path),
        }
    }
}

#[test]
fn every_setting_and_its_variable_are_on_the_page() {
    for (platform, file) in PAGES {
        let (page, mut all) = (page(file), Vec::new());
        settings(shipped(&format!("{platform}.yaml")).as_object().unwrap(), "", &mut all);
        let described = section(&page, "Configuration");
        for path in all {
            // Settings of one kind share a line: `.burst`, or `call` of `timeouts.*_seconds`.
            let last = path.rsplit('.').next().unwrap();
            let ways = [
                format!("`{path}`"),
                format!("`.{last}`"),
                format!("`{}`", last.trim_end_matches("_seconds")),
            ];
            assert!(ways.iter().any(|way| described.contains(way)), "{platform} does not describe {path}");
        }
        for (variable, _) in factory().environment(platform) {
            assert!(page.contains(&format!("`{variable}`")), "{platform} does not name {variable}");
        }
    }
}

/// All sources of a platform, without their tests.
fn sources(platform: &str) -> String {
    let begin = root().join("agcluster-providers/src").join(platform);
    let mut text = std::fs::read_to_string(begin.with_extension("rs")).unwrap();
    let mut folders = vec![begin];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
                let source = std::fs::read_to_string(path).unwrap();
                text += source.split("#[cfg(test)]").next().unwrap();
            }
        }
    }
    text
}

#[test]
fn every_kind_of_error_that_a_platform_makes_can_be_looked_up() {
    for (platform, file) in PAGES {
        let (page, sources) = (page(file), sources(platform));
        let table = section(&page, "Troubleshooting");
        for (name, kind) in KINDS {
            let makes = sources
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .flat_map(|line| line.match_indices("ErrorKind::").map(move |(at, _)| line.split_at(at)))
                .filter(|(before, _)| !["io::", "== ", "!= "].iter().any(|other| before.ends_with(other)))
                .any(|(_, here)| here["ErrorKind::".len()..].starts_with(name));
            let row = format!("\n| `{}` |", kind.code());
            assert!(
                !makes || table.contains(&row),
                "{platform} makes {name}, which its page does not explain"
            );
        }
    }
}
