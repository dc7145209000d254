//! Whatever git says, what is given of it is bounded.
#![allow(clippy::expect_used, reason = "a fuzzer is told by a panic")]

use bytes::Bytes;

use super::budget::Budget;
use super::sections::Sections;
use crate::program::Line;

/// The control plane reads no longer answer.
const MOST: usize = 4 << 20;

/// Takes an answer of git's, line by line.
pub(crate) fn fuzz(data: &[u8]) {
    let mut sections = Sections::new(Budget::whole());
    for line in data.split(|byte| *byte == b'\n') {
        sections.take(Line::Whole(Bytes::copy_from_slice(line)));
    }
    sections.end();
    for file in &sections.files {
        let lines = file.hunks.iter().flat_map(|hunk| &hunk.lines);
        let numbered = lines.into_iter().all(|line| line.old_line.is_some() || line.new_line.is_some());
        assert!(numbered, "a line is on neither side");
    }
    let shown = serde_json::to_vec(&sections.files).expect("a difference can be written");
    assert!(shown.len() < MOST, "{} bytes", shown.len());
}
