//! A difference as a structure.

use serde::{Deserialize, Serialize};

/// What is compared with what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffQuery {
    /// The repository's folder.
    #[serde(default = "super::here")]
    pub path: String,
    /// The older side: a branch, a tag, a commit; the present commit when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The newer side; the working tree when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Whether the newer side is the index.
    #[serde(default)]
    pub staged: bool,
    /// Unchanged lines around each change, 0 to 1000; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Only what is at or below this path in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitDiff"))]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// The repository's folder as the agent sees it.
    pub repo_path: String,
    /// The repository's folder below the workspace.
    pub relative_path: String,
    /// The older side.
    pub base: String,
    /// The newer side; none for the working tree and the index.
    pub head: Option<String>,
    /// What differs. When the newer side is the working tree, files that git does not follow are added at the end.
    pub files: Vec<FileDiff>,
    /// Whether there is more than is shown.
    pub truncated: bool,
}

/// How one file differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FileDiff {
    /// Its path on the older side; none for a new one.
    pub old_path: Option<String>,
    /// Its path on the newer side; none for one that is gone.
    pub new_path: Option<String>,
    /// What happened to it.
    pub status: FileStatus,
    /// Its mode on the older side, in octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_mode: Option<String>,
    /// Its mode on the newer side, in octal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_mode: Option<String>,
    /// Lines that were added.
    pub additions: u64,
    /// Lines that were removed.
    pub deletions: u64,
    /// Whether its content is no text, and therefore is not shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// Whether its hunks are left out because they are too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Where it differs.
    pub hunks: Vec<Hunk>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitFileStatus"))]
#[serde(rename_all = "lowercase")]
pub enum FileStatus {
    /// Other content or mode.
    Modified,
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// It was elsewhere.
    Renamed,
    /// It is like another.
    Copied,
    /// It is another kind of thing: a link where a file was.
    Typechange,
    /// A merge has left it to be resolved.
    Unmerged,
}

/// A place where a file differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// The first line on the older side.
    pub old_start: usize,
    /// How many lines it has there.
    pub old_lines: usize,
    /// The first line on the newer side.
    pub new_start: usize,
    /// How many lines it has there.
    pub new_lines: usize,
    /// The lines of both sides.
    pub lines: Vec<Line>,
}

/// A line, without its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitLine"))]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Which side it is on.
    #[serde(rename = "type")]
    pub kind: LineKind,
    /// Its text.
    pub content: String,
    /// Its number on the older side, if it is there.
    pub old_line: Option<usize>,
    /// Its number on the newer side, if it is there.
    pub new_line: Option<usize>,
}

/// Which side a line is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "GitLineKind"))]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// On both.
    Context,
    /// On the newer one.
    Add,
    /// On the older one.
    Del,
}
