//! Chance that can be repeated.

use std::time::Duration;

/// Numbers that look random and follow from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another source that follows from this one, for a task of its own.
    pub fn fork(&mut self) -> Self {
        Self(self.number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`; 0 when that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// An index of something that has so many; 0 when it has none.
    pub fn index(&mut self, of: usize) -> usize {
        usize::try_from(self.below(of as u64)).unwrap_or_default()
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time below a limit, in steps of a tenth of a millisecond.
    pub fn time(&mut self, limit: Duration) -> Duration {
        let steps = u64::try_from(limit.as_micros() / 100).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(steps) * 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers = |seed| {
            let mut seeded = Seeded::new(seed);
            [seeded.number(), seeded.fork().number(), seeded.below(10), seeded.number()]
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn limits_are_kept_and_reached() {
        let mut seeded = Seeded::new(1);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[seeded.index(5)] = true;
            assert!(seeded.time(Duration::from_millis(2)) < Duration::from_millis(2));
        }
        assert_eq!(
            (seen, seeded.below(0), seeded.percent(0), seeded.percent(100)),
            ([true; 5], 0, false, true)
        );
    }
}
