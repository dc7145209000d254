//! Numbers that look like chance.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// SplitMix64: enough for jitter and for faults by seed, and the same numbers for the same seed everywhere. Not for secrets.
#[derive(Debug)]
pub(super) struct Random {
    state: AtomicU64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// Other numbers in each process, so that many servers do not come back to a platform at the same moment.
    pub(super) fn of_this_process() -> Self {
        // Without the system's randomness the jitter is the same in each process, and still spread within it.
        Self::seeded(getrandom::u64().unwrap_or(STEP))
    }

    pub(super) fn next(&self) -> u64 {
        let mut mixed = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0, less than 1.
    pub(super) fn fraction(&self) -> f64 {
        // 53 bits are all that fit, exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Less than `longest`.
    pub(super) fn duration(&self, longest: Duration) -> Duration {
        longest.mul_f64(self.fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_the_published_numbers() {
        let random = Random::seeded(1_234_567);
        let numbers: Vec<_> = std::iter::repeat_with(|| random.next()).take(3).collect();
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn fractions_fill_the_unit_interval() {
        let random = Random::seeded(1);
        let fractions: Vec<_> = std::iter::repeat_with(|| random.fraction()).take(1000).collect();
        assert!(fractions.iter().all(|fraction| (0.0..1.0).contains(fraction)));
        let mean = fractions.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
