//! The last output of a terminal.

use std::collections::VecDeque;

/// The last bytes of a stream of which every byte has an offset.
#[derive(Debug)]
pub(super) struct Scrollback {
    bytes: VecDeque<u8>,
    /// The offset of the first byte that is kept.
    oldest: u64,
    most: usize,
}

/// What there is behind an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Nothing yet.
    Nothing,
    /// Bytes, which begin at the offset.
    Bytes(Vec<u8>),
    /// What began there is not kept any more; this is the oldest offset that is.
    Lost(u64),
}

impl Scrollback {
    /// Keeps at most so many bytes, of which the first one has this offset.
    pub(super) fn new(oldest: u64, most: usize) -> Self {
        Self { bytes: VecDeque::new(), oldest, most }
    }

    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// The offset behind the last byte.
    pub(super) fn newest(&self) -> u64 {
        self.oldest + length(self.bytes.len())
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.most)..];
        let forgotten = (self.bytes.len() + kept.len()).saturating_sub(self.most);
        self.bytes.drain(..forgotten);
        self.oldest += length(forgotten + bytes.len() - kept.len());
        self.bytes.extend(kept);
    }

    /// At most so many bytes from an offset on.
    pub(super) fn read(&self, from: u64, most: usize) -> Read {
        let Some(start) = from.checked_sub(self.oldest) else { return Read::Lost(self.oldest) };
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(self.bytes.len());
        let end = start.saturating_add(most).min(self.bytes.len());
        if start == end {
            return Read::Nothing;
        }
        Read::Bytes(self.bytes.range(start..end).copied().collect())
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_bytes_are_kept_and_what_is_lost_is_told() {
        let mut scrollback = Scrollback::new(100, 8);
        assert_eq!(scrollback.read(100, 10), Read::Nothing);
        scrollback.push(b"12345");
        assert_eq!(scrollback.read(102, 2), Read::Bytes(b"34".to_vec()));
        scrollback.push(b"67890");
        assert_eq!((scrollback.oldest(), scrollback.newest()), (102, 110));
        assert_eq!(scrollback.read(101, 10), Read::Lost(102));
        assert_eq!(scrollback.read(102, 10), Read::Bytes(b"34567890".to_vec()));
        assert_eq!(scrollback.read(110, 10), Read::Nothing);
        assert_eq!(scrollback.read(1000, 10), Read::Nothing);
    }

    proptest! {
        #[test]
        fn every_byte_has_its_offset(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let mut scrollback = Scrollback::new(0, 16);
            for piece in &pieces {
                scrollback.push(piece);
            }
            let all = pieces.concat();
            prop_assert_eq!(scrollback.newest(), length(all.len()));
            prop_assert!(scrollback.bytes.len() <= 16);
            let oldest = usize::try_from(scrollback.oldest()).unwrap();
            let kept: Vec<u8> = scrollback.bytes.iter().copied().collect();
            prop_assert_eq!(&kept[..], &all[oldest..]);
        }
    }
}
