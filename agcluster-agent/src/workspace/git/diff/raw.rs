//! A line of the list of what differs: `:old-mode new-mode old-name new-name letter⇥path[⇥path]`.

use agcluster_protocol::workspace::git::{FileDiff, FileStatus};

use super::super::quoting::unquoted;

/// A mode that says that there is nothing.
const NOTHING: &str = "000000";

/// A file that differs.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) file: FileDiff,
    /// How its part of the patch begins; none when it has none.
    pub(super) header: Option<Vec<u8>>,
}

/// Reads such a line.
pub(super) fn read(line: &[u8]) -> Option<Raw> {
    let mut fields = line.strip_prefix(b":")?.split(|byte| *byte == b'\t');
    let facts = std::str::from_utf8(fields.next()?).ok()?;
    let (first, second) = (fields.next()?, fields.next());
    let mut facts = facts.split(' ');
    let (old_mode, new_mode) = (facts.next()?, facts.next()?);
    let letter = facts.nth(2)?.chars().next()?;
    let status = match letter {
        'M' => FileStatus::Modified,
        'A' => FileStatus::Added,
        'D' => FileStatus::Deleted,
        'R' => FileStatus::Renamed,
        'C' => FileStatus::Copied,
        'T' => FileStatus::Typechange,
        'U' => FileStatus::Unmerged,
        _ => return None,
    };
    let mode = |mode: &str| (mode != NOTHING).then(|| mode.to_owned());
    let path = |path: &[u8]| String::from_utf8_lossy(&unquoted(path)).into_owned();
    let (old, new) = (first, second.unwrap_or(first));
    let file = FileDiff {
        old_path: (status != FileStatus::Added).then(|| path(old)),
        new_path: (status != FileStatus::Deleted).then(|| path(new)),
        status,
        old_mode: mode(old_mode),
        new_mode: mode(new_mode),
        additions: 0,
        deletions: 0,
        binary: false,
        truncated: false,
        hunks: Vec::new(),
    };
    let header = (status != FileStatus::Unmerged)
        .then(|| [b"diff --git ", &*prefixed(b"a/", old), b" ", &*prefixed(b"b/", new)].concat());
    Some(Raw { file, header })
}

/// A path with a prefix, which stands within the quotes where there are any.
fn prefixed(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    match path.strip_prefix(b"\"") {
        Some(quoted) => [b"\"", prefix, quoted].concat(),
        None => [prefix, path].concat(),
    }
}
