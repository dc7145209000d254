//! Lines of bounded length out of a stream.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The longest line: longer than any message of a model with its pictures.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// What a buffer that held a long line is cut back to.
const USUAL_BYTES: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its end. Never empty.
    Whole(Bytes),
    TooLong,
}

pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    line: BytesMut,
    /// The rest of a line that was too long is passed over.
    skipping: bool,
    most: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self::with_most(reader, MOST_BYTES)
    }

    /// Lines of at most so many bytes.
    pub(crate) fn with_most(reader: R, most: usize) -> Self {
        let reader = BufReader::with_capacity(USUAL_BYTES, reader);
        Self { reader, line: BytesMut::new(), skipping: false, most }
    }

    /// The next line that is not empty; nothing at the end. An unfinished last line counts. Dropping the future loses
    /// nothing.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let buffer = self.reader.fill_buf().await?;
            if buffer.is_empty() {
                let rest = self.line.split().freeze();
                return Ok(if rest.is_empty() || self.skipping { None } else { Some(Line::Whole(rest)) });
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            let used = piece.len() + usize::from(end.is_some());
            let too_long = !self.skipping && self.line.len() + piece.len() > self.most;
            if too_long {
                self.line = BytesMut::new();
                self.skipping = true;
            } else if !self.skipping {
                self.line.extend_from_slice(piece);
            }
            self.reader.consume(used);
            if end.is_some() && std::mem::take(&mut self.skipping) {
                if too_long {
                    return Ok(Some(Line::TooLong));
                }
                continue;
            }
            if too_long {
                return Ok(Some(Line::TooLong));
            }
            if end.is_some() && !self.line.is_empty() {
                return Ok(Some(Line::Whole(self.line.split().freeze())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    async fn all(bytes: &[u8], most: usize, piece: usize) -> Vec<Line> {
        let (mut writer, reader) = tokio::io::duplex(64);
        let bytes = bytes.to_vec();
        let writing = tokio::spawn(async move {
            for piece in bytes.chunks(piece) {
                writer.write_all(piece).await.unwrap();
            }
        });
        let mut lines = Lines::with_most(reader, most);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line);
        }
        writing.await.unwrap();
        all
    }

    fn whole(text: &'static str) -> Line {
        Line::Whole(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_arrive() {
        for piece in 1..8 {
            let lines = all(b"one\n\ntwo\r\nlast", 100, piece).await;
            assert_eq!(lines, [whole("one"), whole("two\r"), whole("last")]);
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_told_once_and_passed_over() {
        for piece in 1..12 {
            let lines = all(b"ok\n0123456789\nok\n0123456789", 5, piece).await;
            assert_eq!(lines, [whole("ok"), Line::TooLong, whole("ok"), Line::TooLong], "{piece}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_none_are_lost(bytes: Vec<u8>, piece in 1..20_usize) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let lines = runtime.block_on(all(&bytes, usize::MAX, piece));
            let expected: Vec<Line> = bytes
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| Line::Whole(Bytes::copy_from_slice(line)))
                .collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
