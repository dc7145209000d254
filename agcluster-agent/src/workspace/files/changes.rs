//! What changes in a folder, as it does.
//!
//! Watches are set on folders that are open, not on paths: a link that takes a folder's place leads none of them outside.

mod watch;

use std::time::Duration;

use agcluster_protocol::codes;
use agcluster_protocol::workspace::files::{Changes, FilePath};
use agcluster_protocol::workspace::{TOO_MANY, WRONG_TYPE};
use axum::response::Response;
use futures::{StreamExt, stream};
use rustix::io::Errno;

use super::access::{Access, on_disk, relative};
use super::refuse::{refusal, said};
use crate::http::Refusal;
use crate::workspace::frames;
use watch::Watch;

/// How long changes are collected before they are told.
const TOGETHER: Duration = Duration::from_millis(100);
/// The longest line, and what stands around a path in it.
const LONGEST_LINE: usize = 30 * 1024;
const AROUND: usize = 64;

/// Tells changes beneath a folder, those of a moment together. The first line has none and comes when it watches.
pub(super) async fn changes(access: Access, path: FilePath) -> Result<Response, Refusal> {
    let watch = on_disk(move || {
        let path = relative(&path)?;
        let folder = access.folder(&path)?;
        if !folder.dir_metadata().is_ok_and(|found| found.is_dir()) {
            return Err(Refusal::new(WRONG_TYPE, format!("{} is no folder", said(&path))));
        }
        Watch::of(folder, path.clone()).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOSPC) => {
                Refusal::new(TOO_MANY, "too much is watched already: end another stream of changes")
            }
            _ => refusal(&error, &path),
        })
    });
    let watch = watch
        .await?
        .listen()
        .map_err(|error| Refusal::new(codes::INTERNAL, format!("changes cannot be waited for: {error}")))?;
    let begun = Changes { partial: watch.is_partial(), ..Changes::default() };
    let batches = stream::unfold(watch, |watch| async move {
        watch.readable().await.ok()?;
        tokio::time::sleep(TOGETHER).await;
        let collected = tokio::task::spawn_blocking(move || {
            let mut watch = watch;
            (watch.collect(), watch)
        });
        let (changes, watch) = collected.await.ok()?;
        Some((stream::iter(lines(changes.ok()?)), watch))
    });
    Ok(frames::respond(stream::iter([begun]).chain(batches.flatten()), Changes::default()))
}

/// The same in lines that are not too long for who reads them.
fn lines(all: Changes) -> Vec<Changes> {
    let Changes { changes, overflow, partial } = all;
    let mut lines = vec![Changes { changes: Vec::new(), overflow, partial }];
    let mut room = LONGEST_LINE;
    for change in changes {
        // Each byte of a path may be written as three.
        let size = change.path.as_bytes().len() * 3 + AROUND;
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
    use agcluster_protocol::workspace::files::{Change, ChangeKind};

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
