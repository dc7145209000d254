//! The places of what an engine has written down: their times.

use agcluster_core::provider::{LogLine, LogPlace, LogSource};
use bytes::Bytes;
use jiff::Timestamp;

/// Reads the time before each piece. Of one time there may be several: the engine cuts a long line in pieces.
pub(super) struct Stamps {
    log: LogPlace,
    after: Option<LogPlace>,
    last: Option<LogPlace>,
}

impl Stamps {
    /// For the output of this container, behind a place.
    pub(super) fn of(container: &str, after: Option<LogPlace>) -> Self {
        Self { log: LogPlace::in_log(container, 0), after, last: None }
    }

    /// A piece without its time; nothing for what is before the place to begin at.
    pub(super) fn read(&mut self, source: LogSource, bytes: Bytes) -> Option<LogLine> {
        let Some((number, begin)) = stamp(&bytes) else {
            return Some(LogLine { source, bytes, place: None, seen: false });
        };
        let part = self.last.filter(|last| last.number == number).map_or(0, |last| last.part + 1);
        let place = LogPlace { number, part, ..self.log };
        self.last = Some(place);
        let after = self.after.filter(|after| place.is_seen_from(after));
        if after.is_some_and(|after| after.number != number) {
            return None;
        }
        Some(LogLine { source, bytes: bytes.slice(begin..), place: Some(place), seen: after.is_some() })
    }
}

/// The time before a piece, in nanoseconds, and where the piece begins.
fn stamp(bytes: &[u8]) -> Option<(u64, usize)> {
    let end = bytes.iter().take(64).position(|byte| *byte == b' ')?;
    let at: Timestamp = std::str::from_utf8(&bytes[..end]).ok()?.parse().ok()?;
    Some((u64::try_from(at.as_nanosecond()).ok()?, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES: [&str; 5] = [
        "2026-01-02T03:04:05.000000001Z one\n",
        "2026-01-02T03:04:05.000000002Z a long ",
        "2026-01-02T03:04:05.000000002Z line, in ",
        "2026-01-02T03:04:05.000000002Z pieces\n",
        "2026-01-02T03:04:06Z last\n",
    ];

    fn read(after: Option<LogPlace>) -> Vec<LogLine> {
        let mut stamps = Stamps::of("c", after);
        let pieces = PIECES
            .iter()
            .filter_map(|piece| stamps.read(LogSource::Stderr, Bytes::from_static(piece.as_bytes())));
        pieces.collect()
    }

    #[test]
    fn every_piece_has_a_place_behind_which_the_others_come() {
        let all = read(None);
        let text: Vec<u8> = all.iter().flat_map(|line| line.bytes.to_vec()).collect();
        assert_eq!(String::from_utf8(text).unwrap(), "one\na long line, in pieces\nlast\n");
        let parts: Vec<u32> = all.iter().map(|line| line.place.unwrap().part).collect();
        assert_eq!(parts, [0, 0, 1, 2, 0]);
        for (index, line) in all.iter().enumerate() {
            let rest: Vec<LogLine> = read(line.place).into_iter().filter(|line| !line.seen).collect();
            assert_eq!(rest, all[index + 1..], "behind {:?}", line.place);
        }
        // What a character may have begun in comes again.
        assert_eq!(read(all[2].place).iter().filter(|line| line.seen).count(), 2);
    }

    #[test]
    fn what_has_no_time_is_told_as_it_is() {
        let line = Stamps::of("c", None).read(LogSource::Stdout, Bytes::from_static(b"no time\n")).unwrap();
        assert_eq!((line.bytes, line.place), (Bytes::from_static(b"no time\n"), None));
    }
}
