//! Lines of JSON out of a stream of bytes.

use bytes::{Bytes, BytesMut};

/// The longest line that is taken: Vercel cuts output into much smaller pieces.
const LONGEST_LINE: usize = 4 << 20;

/// Puts pieces together and cuts them at line ends.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    rest: BytesMut,
    /// How much of the rest is known to have no line end.
    searched: usize,
}

/// A line has no end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl LineBuffer {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
    }

    /// The next whole line that is not empty; `None` when more is needed.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        loop {
            let Some(end) = self.rest[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.rest.len();
                return if self.rest.len() > LONGEST_LINE { Err(TooLong) } else { Ok(None) };
            };
            let line = self.rest.split_to(self.searched + end + 1).freeze();
            self.searched = 0;
            let line = line.slice(..line.len() - 1);
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// What stands behind the last line end, once the stream is over.
    pub(super) fn last(&mut self) -> Option<Bytes> {
        let last = self.rest.split().freeze();
        self.searched = 0;
        (!last.trim_ascii().is_empty()).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"{\"a\":1}\n\n{\"b\":\"\xc3\xa4\"}\r\n{\"c\":3}";
        for size in 1..text.len() {
            let mut buffer = LineBuffer::default();
            let mut lines = Vec::new();
            for piece in text.chunks(size) {
                buffer.push(piece);
                while let Some(line) = buffer.next().unwrap() {
                    lines.push(line);
                }
            }
            lines.extend(buffer.last());
            assert_eq!(lines, [&b"{\"a\":1}"[..], b"{\"b\":\"\xc3\xa4\"}\r", b"{\"c\":3}"], "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut buffer = LineBuffer::default();
        buffer.push(&vec![b'x'; LONGEST_LINE + 1]);
        assert_eq!(buffer.next(), Err(TooLong));
    }
}
