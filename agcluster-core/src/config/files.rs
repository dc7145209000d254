//! Files that are in the workspace before the agent starts.

use std::collections::{BTreeMap, BTreeSet};

use super::names::WORKSPACE;
use super::path::quoted;
use super::read::{Field, Reader};

/// The most files.
pub(super) const MAX_FILES: usize = 100;
/// The most bytes of all files together.
pub(super) const MAX_BYTES: usize = 256 * 1024;
/// The longest path, and the longest name in it, that every file system takes.
const MAX_PATH: usize = 1024;
const MAX_NAME: usize = 255;

/// Reads the files by their paths, which become relative to the workspace.
pub(super) fn read(reader: &mut Reader, field: &Field<'_>) -> BTreeMap<String, String> {
    let mut seen = BTreeSet::new();
    let found = reader.map(field, |reader, path, field| {
        let content = reader.text(field)?;
        let Some(relative) = relative(path) else {
            let rule = format!(
                "must be a path beneath {WORKSPACE} without `.` and `..`, such as src/main.py, not {}",
                quoted(path)
            );
            reader.problem(field, rule);
            return None;
        };
        if !seen.insert(relative.to_owned()) {
            reader.problem(field, "is there twice; keep one of them");
        }
        Some((relative.to_owned(), content.to_owned()))
    });
    let files: BTreeMap<String, String> = found.into_values().collect();
    if files.len() > MAX_FILES {
        reader
            .problem(field, format_args!("has {} files, more than the {MAX_FILES} that may be", files.len()));
    }
    if files.values().map(String::len).sum::<usize>() > MAX_BYTES {
        let most = MAX_BYTES / 1024;
        reader.problem(
            field,
            format_args!("is more than {most} KiB in all; upload large files after the launch"),
        );
    }
    if let Some(path) = files.keys().find(|path| files.keys().any(|other| is_below(other, path))) {
        reader.problem(field, format_args!("has {} both as a file and as a folder", quoted(path)));
    }
    files
}

/// The path below the workspace; nothing when it is none.
fn relative(path: &str) -> Option<&str> {
    let path = match path.strip_prefix(WORKSPACE) {
        Some(rest) if rest.starts_with('/') => rest.strip_prefix('/')?,
        _ => path,
    };
    let plain = |name: &str| {
        (1..=MAX_NAME).contains(&name.len())
            && !matches!(name, "." | "..")
            && !name.chars().any(char::is_control)
    };
    (path.len() <= MAX_PATH && path.split('/').all(plain)).then_some(path)
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AgentConfig;
    use serde_json::{Value, json};

    fn files(files: Value) -> Result<BTreeMap<String, String>, String> {
        let document = json!({ "id": "x", "name": "X", "files": files });
        let read = AgentConfig::from_json(document);
        read.map(|read| read.config.files).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_become_relative_to_the_workspace() {
        let read = files(json!({ "/workspace/a/b.md": "x", "c d": "", ".env.example": "A=" })).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), [".env.example", "a/b.md", "c d"]);
    }

    #[test]
    fn a_path_that_leaves_the_workspace_is_refused() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\nb",
            "/workspace",
            "/workspaces/x",
        ] {
            assert!(files(json!({ bad: "x" })).is_err(), "{bad:?}");
        }
        assert!(files(json!({ "a".repeat(256): "x" })).is_err());
        assert!(files(json!({ "a/".repeat(600) + "b": "x" })).is_err());
    }

    #[test]
    fn too_many_or_too_large_files_are_refused() {
        let many: Value = (0..=MAX_FILES)
            .map(|number| (number.to_string(), "".into()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert!(files(many).unwrap_err().contains("more than the 100"));
        assert!(files(json!({ "a": "x".repeat(MAX_BYTES + 1) })).unwrap_err().contains("256 KiB"));
        assert!(files(json!({ "a": "x".repeat(MAX_BYTES) })).is_ok());
    }

    #[test]
    fn a_file_is_there_once_and_is_no_folder() {
        assert!(files(json!({ "a": "x", "/workspace/a": "y" })).unwrap_err().contains("twice"));
        assert!(files(json!({ "a": "x", "a/b": "y" })).unwrap_err().contains("as a folder"));
        assert!(files(json!({ "a": 5 })).is_err());
    }
}
