//! Hunks of a patch.

use agcluster_protocol::workspace::git::{Hunk, Line, LineKind};

/// Reads hunks, beginning with the first `@@`; nothing when they are no such thing.
pub(super) fn hunks(patch: &[u8]) -> Option<Vec<Hunk>> {
    if patch.is_empty() {
        return Some(Vec::new());
    }
    let patch = diffy::Patch::from_bytes(patch).ok()?;
    Some(patch.hunks().iter().map(hunk).collect())
}

fn hunk(hunk: &diffy::Hunk<'_, [u8]>) -> Hunk {
    let (old, new) = (hunk.old_range(), hunk.new_range());
    let (mut old_next, mut new_next) = (old.start(), new.start());
    let lines = hunk.lines().iter().map(|line| {
        let (kind, content) = match line {
            diffy::Line::Context(content) => (LineKind::Context, content),
            diffy::Line::Insert(content) => (LineKind::Add, content),
            diffy::Line::Delete(content) => (LineKind::Del, content),
        };
        let old_line = (kind != LineKind::Add).then(|| step(&mut old_next));
        let new_line = (kind != LineKind::Del).then(|| step(&mut new_next));
        Line { kind, content: text(content), old_line, new_line }
    });
    let lines = lines.collect();
    Hunk { old_start: old.start(), old_lines: old.len(), new_start: new.start(), new_lines: new.len(), lines }
}

fn step(next: &mut usize) -> usize {
    let this = *next;
    *next = next.saturating_add(1);
    this
}

/// A line without its end.
pub(super) fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned()
}
