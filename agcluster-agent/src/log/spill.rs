//! The older frames, in files.
//!
//! The files have no names: nobody can open them, and they are gone when the process is. There are several, so that the
//! oldest frames can be given up a file at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::frame;

/// Files the frames are spread over.
const SEGMENTS: u64 = 16;
/// Bytes between two entries of a file's index.
const INDEX_EVERY: u64 = 64 * 1024;

/// The smallest file when nothing may be dropped, so that there are not too many of them.
const LEAST_SEGMENT: u64 = 1024 * 1024;

pub(super) struct Spill {
    directory: Option<PathBuf>,
    most_bytes: u64,
    segments: VecDeque<Segment>,
    complained: bool,
}

struct Segment {
    file: Arc<File>,
    next_seq: u64,
    bytes: u64,
    /// Every so often, the seq of a frame and where it begins; the first entry is the first frame.
    index: Vec<(u64, u64)>,
}

/// A piece of a file that holds a run of frames.
pub(crate) struct SpilledRange {
    file: Arc<File>,
    from: u64,
    to: u64,
    /// Frames at its beginning that were not asked for.
    skip: u64,
}

impl Spill {
    /// Keeps at most `most_bytes` in `directory`, or where temporary files go, and beyond that what must not be dropped.
    pub(super) fn new(directory: Option<PathBuf>, most_bytes: u64) -> Self {
        Self { directory, most_bytes, segments: VecDeque::new(), complained: false }
    }

    /// Takes over frames that follow those it has. On an error it has taken none of them, and still has the others.
    pub(super) fn push(&mut self, first: u64, frames: &[Bytes], pinned: bool) -> io::Result<()> {
        let written = self.write(first, frames, pinned);
        match &written {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                tracing::warn!(%error, "events cannot be kept on disk");
                self.complained = true;
            }
            Err(_) => {}
        }
        written
    }

    fn write(&mut self, first: u64, frames: &[Bytes], pinned: bool) -> io::Result<()> {
        let least = if pinned { LEAST_SEGMENT } else { 1 };
        let segment_bytes = (self.most_bytes / SEGMENTS).max(least);
        if let Some(last) = self.segments.back_mut().filter(|last| last.bytes < segment_bytes) {
            return last.append(frames);
        }
        let file = match &self.directory {
            Some(directory) => tempfile::tempfile_in(directory)?,
            None => tempfile::tempfile()?,
        };
        let mut segment = Segment { file: Arc::new(file), next_seq: first, bytes: 0, index: Vec::new() };
        segment.append(frames)?;
        self.segments.push_back(segment);
        Ok(())
    }

    /// Drops the oldest frames while there are too many, but none after `droppable`.
    pub(super) fn trim(&mut self, droppable: u64) {
        let mut total = self.bytes();
        while total > self.most_bytes
            && let Some(oldest) =
                self.segments.pop_front_if(|oldest| oldest.next_seq <= droppable.saturating_add(1))
        {
            total -= oldest.bytes;
        }
    }

    /// Gives up everything.
    pub(super) fn clear(&mut self) {
        self.segments.clear();
    }

    /// The bytes of the frames after `seq`, and a little more.
    pub(super) fn bytes_after(&self, seq: u64) -> u64 {
        let after = self.segments.iter().filter(|segment| segment.next_seq > seq + 1);
        after
            .map(|segment| {
                let entry = segment.index.partition_point(|(first, _)| *first <= seq + 1).checked_sub(1);
                segment.bytes - entry.map_or(0, |entry| segment.index[entry].1)
            })
            .sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    pub(super) fn first_seq(&self) -> Option<u64> {
        Some(self.segments.front()?.index.first()?.0)
    }

    /// Where the frame with this seq is, with some that follow it.
    pub(super) fn find(&self, seq: u64) -> Option<SpilledRange> {
        let segment = self.segments.iter().find(|segment| seq < segment.next_seq)?;
        let entry = segment.index.partition_point(|(first, _)| *first <= seq).checked_sub(1)?;
        let (first, from) = segment.index[entry];
        let to = segment.index.get(entry + 1).map_or(segment.bytes, |(_, offset)| *offset);
        Some(SpilledRange { file: segment.file.clone(), from, to, skip: seq - first })
    }
}

impl Segment {
    fn append(&mut self, frames: &[Bytes]) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(frames.iter().map(Bytes::len).sum());
        let mut index = Vec::new();
        let mut last_entry = self.index.last().map(|(_, offset)| *offset);
        for (nth, frame) in frames.iter().enumerate() {
            let offset = self.bytes + buffer.len() as u64;
            if last_entry.is_none_or(|last| offset - last >= INDEX_EVERY) {
                index.push((self.next_seq + nth as u64, offset));
                last_entry = Some(offset);
            }
            buffer.extend_from_slice(frame);
        }
        // At its place, so that what a failed write has left behind is written over.
        self.file.write_all_at(&buffer, self.bytes)?;
        self.index.append(&mut index);
        self.bytes += buffer.len() as u64;
        self.next_seq += frames.len() as u64;
        Ok(())
    }
}

impl SpilledRange {
    /// Reads the frames as one run; blocks on the disk.
    pub(super) fn read(&self) -> io::Result<Bytes> {
        let mut buffer = vec![0; (self.to - self.from) as usize];
        self.file.read_exact_at(&mut buffer, self.from)?;
        let mut frames = Bytes::from(buffer);
        frame::skip(&mut frames, self.skip);
        Ok(frames)
    }
}
