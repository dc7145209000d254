//! Byte ranges of HTTP.

/// A part of a file that is there: at least one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// What a `Range` header comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranged {
    /// There is none, or one that need not be understood: several parts, other units.
    Whole,
    /// A part.
    Part(Range),
    /// Nothing of it is there.
    Beyond,
}

impl Range {
    /// What is asked for of a file of this size.
    pub(super) fn of(header: Option<&str>, size: u64) -> Ranged {
        let Some((first, last)) = header
            .and_then(|range| range.trim().strip_prefix("bytes="))
            .and_then(|range| range.split_once('-'))
        else {
            return Ranged::Whole;
        };
        let number = |text: &str| {
            // `parse` would take a sign.
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| digits)
        };
        let (start, end) = match (first.trim(), last.trim()) {
            ("", last) => match number(last) {
                Some(many) => (size.saturating_sub(many), if many == 0 { 0 } else { size }),
                None => return Ranged::Whole,
            },
            (first, "") => match number(first) {
                Some(first) => (first, size),
                None => return Ranged::Whole,
            },
            (first, last) => match (number(first), number(last)) {
                (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
                _ => return Ranged::Whole,
            },
        };
        if start < end { Ranged::Part(Range { start, length: end - start }) } else { Ranged::Beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(start: u64, length: u64) -> Ranged {
        Ranged::Part(Range { start, length })
    }

    #[test]
    fn parts_are_counted_from_either_end() {
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-4", part(2, 3)),
            ("bytes=2-", part(2, 8)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-30", part(0, 10)),
            ("bytes=9-99", part(9, 1)),
            ("bytes=0-18446744073709551615", part(0, 10)),
        ] {
            assert_eq!(Range::of(Some(range), 10), expected, "{range}");
        }
    }

    #[test]
    fn what_lies_behind_the_end_is_not_there() {
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(Range::of(Some(range), 10), Ranged::Beyond, "{range}");
        }
        assert_eq!(Range::of(Some("bytes=0-"), 0), Ranged::Beyond);
        assert_eq!(Range::of(Some("bytes=-1"), 0), Ranged::Beyond);
    }

    #[test]
    fn what_makes_no_sense_asks_for_the_whole() {
        for range in
            ["bytes=4-2", "bytes=a-b", "bytes=", "lines=1-2", "bytes=0-1,3-4", "bytes=+1-2", "bytes=--1"]
        {
            assert_eq!(Range::of(Some(range), 10), Ranged::Whole, "{range}");
        }
        assert_eq!(Range::of(None, 10), Ranged::Whole);
    }
}
