//! What differs between the last commit, the index and the working tree.

use agcluster_protocol::workspace::git::{Change, Status, StatusEntry};

use super::program::Git;
use super::repository::Repo;
use crate::http::Refusal;

/// The most files that are listed.
const MOST: usize = 5_000;
/// The most of git's answer that is read.
const ANSWER: usize = 2 << 20;

/// Asks git for the status of a repository.
pub(super) async fn status(git: &Git, repo: &Repo) -> Result<Status, Refusal> {
    let arguments = [
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        "--untracked-files=all",
        "--find-renames",
        // What is in a submodule is that repository's own affair.
        "--ignore-submodules=dirty",
        "--ahead-behind",
    ];
    let output = repo.look(git).args(arguments).most(ANSWER).output().await?;
    if !output.success && !output.cut {
        return Err(output.refusal());
    }
    let mut status = Status {
        repo_path: repo.folder.shown(),
        relative_path: repo.folder.shown_relative(),
        branch: None,
        commit: None,
        upstream: None,
        ahead: None,
        behind: None,
        clean: true,
        files: Vec::new(),
        truncated: output.cut,
    };
    read(&output.stdout, output.cut, &mut status);
    status.clean = status.files.is_empty() && !status.truncated;
    Ok(status)
}

/// Reads git's answer, whose last piece may be cut off.
fn read(answer: &[u8], cut: bool, status: &mut Status) {
    let mut pieces = answer.split(|byte| *byte == 0).map(|piece| String::from_utf8_lossy(piece));
    let mut next = || pieces.next();
    while let Some(piece) = next() {
        if status.files.len() == MOST {
            status.truncated |= !piece.is_empty();
            return;
        }
        if let Some(header) = piece.strip_prefix("# ") {
            about(header, status);
            continue;
        }
        let Some(mut entry) = entry(&piece) else { continue };
        if piece.starts_with('2') {
            entry.original_path = next().map(|path| path.into_owned());
        }
        status.files.push(entry);
    }
    if cut {
        // The last one may be half a name.
        status.files.pop();
    }
}

fn about(header: &str, status: &mut Status) {
    let Some((key, value)) = header.split_once(' ') else { return };
    match key {
        "branch.oid" if value != "(initial)" => status.commit = Some(value.to_owned()),
        "branch.head" if value != "(detached)" => status.branch = Some(value.to_owned()),
        "branch.upstream" => status.upstream = Some(value.to_owned()),
        "branch.ab" => {
            let mut counts = value.split(' ').map(|count| count.trim_start_matches(['+', '-']).parse().ok());
            (status.ahead, status.behind) = (counts.next().flatten(), counts.next().flatten());
        }
        _ => {}
    }
}

/// One entry: its kind, its two letters, and behind a known number of fields its path, which may hold anything.
fn entry(piece: &str) -> Option<StatusEntry> {
    let (kind, rest) = piece.split_once(' ')?;
    let fields = match kind {
        "1" => 7,
        "2" => 8,
        "u" => 9,
        "?" => {
            let change = Change::Untracked;
            return Some(StatusEntry {
                path: rest.to_owned(),
                original_path: None,
                index: change,
                worktree: change,
            });
        }
        _ => return None,
    };
    let mut letters = rest.chars();
    let (index, worktree) = match kind {
        "u" => (Change::Unmerged, Change::Unmerged),
        _ => (change(letters.next()?)?, change(letters.next()?)?),
    };
    let path = rest.splitn(fields + 1, ' ').nth(fields)?;
    Some(StatusEntry { path: path.to_owned(), original_path: None, index, worktree })
}

fn change(letter: char) -> Option<Change> {
    Some(match letter {
        '.' => Change::Unmodified,
        'M' => Change::Modified,
        'T' => Change::Typechange,
        'A' => Change::Added,
        'D' => Change::Deleted,
        'R' => Change::Renamed,
        'C' => Change::Copied,
        'U' => Change::Unmerged,
        _ => return None,
    })
}
