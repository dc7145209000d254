//! Files that git does not follow, as files that were added.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::git::{FileDiff, FileStatus, Hunk, Line, LineKind};
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use super::super::program::Git;
use super::super::repository::Repo;
use super::sections::Sections;
use super::{only, patch};
use crate::http::Refusal;

/// The most of the list that is read.
const LIST: usize = 1 << 20;
/// The longest file whose lines are shown.
const MOST_BYTES: u64 = 1 << 20;
/// How much of a file is looked at to know text, as git does.
const LOOKED_AT: usize = 8000;

/// Appends what git does not follow and is not told to ignore.
pub(super) async fn append(
    git: &Git,
    repo: &Arc<Repo>,
    file: Option<&str>,
    sections: &mut Sections,
) -> Result<(), Refusal> {
    let list = repo.look(git).args(["ls-files", "--others", "--exclude-standard", "-z"]);
    let output = only(list, file).most(LIST).output().await?;
    if !output.success && !output.cut {
        return Err(output.refusal());
    }
    sections.truncated |= output.cut;
    let end = output.stdout.iter().rposition(|byte| *byte == 0).unwrap_or_default();
    let names: Vec<Vec<u8>> = output.stdout[..end].split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    for name in names {
        // A folder is a repository of its own.
        if name.is_empty() || name.ends_with(b"/") {
            continue;
        }
        let repo = repo.clone();
        let read = tokio::task::spawn_blocking(move || {
            added(&repo.folder.directory, Path::new(OsStr::from_bytes(&name)))
        });
        let read = read.await.map_err(|_| Refusal::new(codes::INTERNAL, "reading a file broke off"))?;
        if let Some(file) = read
            && !sections.add(file)
        {
            break;
        }
    }
    Ok(())
}

/// A file as one that was added; nothing when it is gone, or cannot be read.
fn added(directory: &Dir, path: &Path) -> Option<FileDiff> {
    let metadata = directory.symlink_metadata(path).ok()?;
    let mut bytes = Vec::new();
    let mode = if metadata.is_symlink() {
        bytes = directory.read_link_contents(path).ok()?.as_os_str().as_bytes().to_vec();
        "120000"
    } else if metadata.is_file() {
        // It may have become something else meanwhile, which must not be waited for.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        let opened = directory.open_with(path, &options).ok()?;
        if !opened.metadata().ok()?.is_file() {
            return None;
        }
        opened.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
        if metadata.mode() & 0o100 != 0 { "100755" } else { "100644" }
    } else {
        return None;
    };
    let binary = bytes.iter().take(LOOKED_AT).any(|byte| *byte == 0);
    let truncated = !binary && bytes.len() as u64 > MOST_BYTES;
    let hunk = (!binary && !truncated && !bytes.is_empty()).then(|| hunk(&bytes));
    Some(FileDiff {
        old_path: None,
        new_path: Some(path.to_string_lossy().into_owned()),
        status: FileStatus::Added,
        old_mode: None,
        new_mode: Some(mode.to_owned()),
        additions: hunk.as_ref().map_or(0, |hunk| hunk.new_lines as u64),
        deletions: 0,
        binary,
        truncated,
        hunks: hunk.into_iter().collect(),
    })
}

fn hunk(bytes: &[u8]) -> Hunk {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').zip(1..);
    let line = |(line, number): (&[u8], usize)| Line {
        kind: LineKind::Add,
        content: patch::text(line),
        old_line: None,
        new_line: Some(number),
    };
    let lines: Vec<Line> = lines.map(line).collect();
    Hunk { old_start: 0, old_lines: 0, new_start: 1, new_lines: lines.len(), lines }
}
