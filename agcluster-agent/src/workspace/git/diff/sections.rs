//! A patch that is taken apart file by file.

use std::collections::HashMap;

use agcluster_protocol::workspace::git::FileDiff;
use bytes::Bytes;

use super::budget::Budget;
use super::{patch, raw};
use crate::program::Line;

/// The most files that are listed.
const MOST_FILES: usize = 3_000;
/// The most bytes of one file's hunks; a longer file is listed without them.
const MOST_HUNKS: usize = 1 << 20;

/// What has been read so far.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) files: Vec<FileDiff>,
    /// Whether something was left out.
    pub(super) truncated: bool,
    budget: Budget,
    /// How each file's part of the patch begins.
    headers: HashMap<Vec<u8>, Place>,
    /// The part that is being read.
    current: Option<Section>,
    /// Whether the list is over and the patch has begun.
    in_patch: bool,
}

/// Whose part it is.
#[derive(Debug)]
struct Place {
    index: usize,
    /// Whether it has come.
    reached: bool,
}

#[derive(Debug, Default)]
struct Section {
    /// Whose it is; nobody's when that file is not listed.
    file: Option<usize>,
    hunks: Vec<u8>,
    additions: u64,
    deletions: u64,
    in_hunks: bool,
    binary: bool,
    too_long: bool,
}

impl Sections {
    pub(super) fn new(budget: Budget) -> Self {
        let (files, headers) = (Vec::new(), HashMap::new());
        Self { files, truncated: false, budget, headers, current: None, in_patch: false }
    }

    /// Takes the next line of git's answer.
    pub(super) fn take(&mut self, line: Line) {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong => {
                if let Some(section) = &mut self.current {
                    section.too_long = true;
                }
                self.truncated = true;
                return;
            }
        };
        self.budget.seen(line.len());
        if line.starts_with(b"diff --git ") {
            self.end();
            self.in_patch = true;
            let place = self.headers.get_mut(&*line).map(|place| {
                place.reached = true;
                place.index
            });
            self.current = Some(Section { file: place, ..Section::default() });
        } else if let Some(section) = &mut self.current {
            section.take(&line);
        } else if !self.in_patch {
            self.list(&line);
        }
    }

    /// Adds a file at the end, without its hunks when there is no room for them; false when there is none at all.
    pub(super) fn add(&mut self, mut file: FileDiff) -> bool {
        let mut has_room = self.files.len() < MOST_FILES && self.budget.take(&file);
        if !has_room && !file.hunks.is_empty() {
            file.hunks = Vec::new();
            file.truncated = true;
            has_room = self.files.len() < MOST_FILES && self.budget.take(&file);
        }
        self.truncated |= file.truncated || !has_room;
        if has_room {
            self.files.push(file);
        }
        has_room
    }

    /// Says that nothing follows for the file that was read last.
    pub(super) fn end(&mut self) {
        let Some(section) = self.current.take() else { return };
        let Some(file) = section.file.and_then(|index| self.files.get_mut(index)) else { return };
        file.additions += section.additions;
        file.deletions += section.deletions;
        file.binary |= section.binary;
        let hunks = if section.too_long { None } else { patch::hunks(&section.hunks) };
        match hunks.filter(|hunks| self.budget.take(hunks)) {
            Some(mut hunks) => file.hunks.append(&mut hunks),
            None => {
                file.truncated = true;
                self.truncated = true;
            }
        }
    }

    /// Says that something would have followed.
    pub(super) fn cut(&mut self) {
        self.end();
        self.truncated = true;
        for place in self.headers.values().filter(|place| !place.reached) {
            if let Some(file) = self.files.get_mut(place.index) {
                file.truncated = true;
            }
        }
    }

    /// Whether nothing more is wanted.
    pub(super) fn is_full(&self) -> bool {
        self.budget.is_seen_enough()
    }

    fn list(&mut self, line: &Bytes) {
        let Some(raw) = raw::read(line) else { return };
        let index = self.files.len();
        if self.add(raw.file)
            && let Some(header) = raw.header
        {
            self.headers.insert(header, Place { index, reached: false });
        }
    }
}

impl Section {
    fn take(&mut self, line: &[u8]) {
        self.in_hunks |= line.starts_with(b"@@ ");
        if !self.in_hunks {
            self.binary |= line.starts_with(b"Binary files ");
            return;
        }
        match line.first() {
            Some(b'+') => self.additions += 1,
            Some(b'-') => self.deletions += 1,
            Some(b' ' | b'@' | b'\\') => {}
            // Between two files git says which are not merged.
            _ => return,
        }
        if self.too_long || self.hunks.len() + line.len() >= MOST_HUNKS {
            self.too_long = true;
            self.hunks = Vec::new();
            return;
        }
        self.hunks.extend_from_slice(line);
        self.hunks.push(b'\n');
    }
}
