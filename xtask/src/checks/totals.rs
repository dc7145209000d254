//! What a test run came to, read from its own `test result:` lines.

use std::fmt;
use std::ops::AddAssign;

/// Counts over any number of test programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Tests that held.
    pub(super) passed: u64,
    /// Tests that did not.
    pub(super) failed: u64,
    /// Tests that were left out by an attribute.
    pub(super) ignored: u64,
}

impl Totals {
    /// The counts of a `test result:` line, `None` for any other line.
    pub(super) fn of(line: &str) -> Option<Self> {
        // test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
        let counts = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
        let count =
            |name: &str| counts.split("; ").find_map(|part| part.strip_suffix(name)?.trim().parse().ok());
        Some(Self { passed: count(" passed")?, failed: count(" failed")?, ignored: count(" ignored")? })
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
    const BAD: &str =
        "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9s";

    #[test]
    fn result_lines_are_read() {
        assert_eq!(Totals::of(GOOD), Some(Totals { passed: 12, failed: 0, ignored: 1 }));
        assert_eq!(Totals::of(BAD), Some(Totals { passed: 1, failed: 2, ignored: 0 }));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in
            ["", "running 3 tests", "test result: unclear", "test a ... ok", "5 passed; 0 failed; 0 ignored"]
        {
            assert_eq!(Totals::of(line), None, "{line}");
        }
    }

    #[test]
    fn they_add_up_and_print_plainly() {
        let mut totals = Totals::default();
        for line in [GOOD, BAD] {
            totals += Totals::of(line).unwrap();
        }
        assert_eq!(totals.to_string(), "13 passed, 2 failed");
    }
}
