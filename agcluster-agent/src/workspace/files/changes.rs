//! What changes in a folder, as it does.
//!
//! Watches are set on folders that are open, not on paths: a link that takes a folder's place leads none of them outside. What they see
//! is kept for a while, so that a reader who comes again is told what it missed.

mod watch;
mod watches;

use std::time::Duration;

use agcluster_protocol::workspace::files::{Change, Changes};

pub(super) use watches::Watches;

/// How long changes are collected before they are told.
const TOGETHER: Duration = Duration::from_millis(100);
/// The longest line, and what stands around a path in it.
const LONGEST_LINE: usize = 30 * 1024;
const AROUND: usize = 64;

/// The size of a change in a line at the most: each byte of a path may be written as three.
fn size(change: &Change) -> usize {
    change.path.as_bytes().len() * 3 + AROUND
}

/// The same in lines that are not too long for who reads them.
fn lines(all: Changes) -> Vec<Changes> {
    let Changes { changes, overflow, partial } = all;
    let mut lines = vec![Changes { changes: Vec::new(), overflow, partial }];
    let mut room = LONGEST_LINE;
    for change in changes {
        let size = size(&change);
        if size > room {
            lines.push(Changes { changes: Vec::new(), overflow: false, partial });
            room = LONGEST_LINE;
        }
        room = room.saturating_sub(size);
        if let Some(line) = lines.last_mut() {
            line.changes.push(change);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use agcluster_protocol::workspace::files::{ChangeKind, FilePath};

    use super::*;

    #[test]
    fn many_changes_are_told_in_several_lines_and_none_is_lost() {
        let path =
            |index: usize| FilePath::from_bytes([b"\xff".repeat(200), vec![b'0' + index as u8]].concat());
        let changes: Vec<_> =
            (0..200).map(|index| Change { path: path(index), kind: ChangeKind::Created }).collect();
        let lines = lines(Changes { changes: changes.clone(), overflow: true, partial: false });
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| serde_json::to_vec(line).unwrap().len() <= LONGEST_LINE + 100));
        assert_eq!(
            lines.iter().map(|line| line.overflow).collect::<Vec<_>>(),
            [vec![true], vec![false; lines.len() - 1]].concat()
        );
        assert_eq!(lines.into_iter().flat_map(|line| line.changes).collect::<Vec<_>>(), changes);
    }
}
