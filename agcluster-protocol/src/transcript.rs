//! The agent program's own record of a conversation, on its way to another container.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A file of JSON lines, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptFile {
    /// Where it belongs, relative to the agent's home, as [`Transcript`](crate::EventBody::Transcript) events name it.
    pub path: String,
    /// Its lines.
    pub entries: Vec<Value>,
}

/// A path that leads out of the agent's home, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path of a transcript is relative, has only names in it and names a file")]
pub struct InvalidPath;

impl TranscriptFile {
    /// The path, once it is known to stay below the agent's home: relative, only names, and at least one.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn checked_path(&self) -> Result<&Path, InvalidPath> {
        let path = Path::new(&self.path);
        let only_names = path.components().all(|part| matches!(part, Component::Normal(_)));
        let plain = !self.path.is_empty()
            && !self.path.contains(['\0', '\n'])
            && !self.path.starts_with("./")
            && !self.path.ends_with('/');
        if only_names && plain { Ok(path) } else { Err(InvalidPath) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(path: &str) -> bool {
        TranscriptFile { path: path.to_owned(), entries: Vec::new() }.checked_path().is_ok()
    }

    #[test]
    fn a_path_stays_below_the_home() {
        for good in ["a", "a.jsonl", ".claude/projects/-workspace/c.jsonl", "..a/b"] {
            assert!(check(good), "{good}");
        }
        for bad in ["", "/", "/etc/passwd", "..", "../a", "a/../b", "a/..", ".", "./a", "a/", "a\0b", "a\nb"]
        {
            assert!(!check(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_path_that_is_taken_leads_out(path in "[a./\\\\~]{0,12}") {
            if check(&path) {
                let mut depth = 0_i32;
                for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
                    depth += if part == ".." { -1 } else { 1 };
                    prop_assert!(depth >= 1);
                }
                prop_assert!(depth >= 1 && !path.starts_with('/'));
            }
        }
    }
}
