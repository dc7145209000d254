//! One line of the table: what was measured, its floor, and what the two say.

use serde_json::{Value, json};

use super::samples::Samples;

/// What values are shown in. They are kept in base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Microseconds,
    Mebibytes,
    Kibibytes,
    PerSecond,
    MegabytesPerSecond,
    Count,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds => format!("{:.1} ms", value * 1e3),
            Self::Microseconds => format!("{:.0} µs", value * 1e6),
            Self::Mebibytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::Kibibytes => format!("{:.1} KiB", value / 1024.0),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::MegabytesPerSecond => format!("{:.0} MB/s", value / 1e6),
            Self::Count => format!("{value:.0}"),
        }
    }
}

/// What a figure comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    /// The median less the floor's median, shared out among so many.
    Added { among: f64, unit: Unit },
    /// The median as a part of the floor's median.
    Ratio,
    /// The 99th percentile, beside the floor's.
    P99,
    /// The 99th percentile less the floor's.
    AddedP99,
    /// The median itself.
    Median,
}

/// A floor: what the same thing takes without AgCluster.
#[derive(Debug, Clone)]
struct Floor {
    name: &'static str,
    samples: Samples,
}

/// A figure.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    name: String,
    unit: Unit,
    samples: Samples,
    floor: Option<Floor>,
    verdict: Verdict,
    /// What the verdict is held against, in base units.
    target: Option<Target>,
}

/// A bound.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    /// A figure that stands for itself.
    pub(crate) fn new(name: impl Into<String>, unit: Unit, samples: Samples) -> Self {
        Self { name: name.into(), unit, samples, floor: None, verdict: Verdict::Median, target: None }
    }

    /// With a floor, and the difference as what counts.
    pub(crate) fn over(mut self, name: &'static str, samples: &Samples) -> Self {
        self.floor = Some(Floor { name, samples: samples.clone() });
        self.verdict = Verdict::Added { among: 1.0, unit: self.unit };
        self
    }

    /// The difference is shared out among so many.
    pub(crate) fn each_of(mut self, many: usize, unit: Unit) -> Self {
        self.verdict = Verdict::Added { among: many as f64, unit };
        self
    }

    /// The ratio counts.
    pub(crate) fn judged_by_ratio(mut self) -> Self {
        self.verdict = Verdict::Ratio;
        self
    }

    /// The 99th percentile counts.
    pub(crate) fn judged_by_p99(mut self) -> Self {
        self.verdict = Verdict::P99;
        self
    }

    /// The difference of the 99th percentiles counts.
    pub(crate) fn judged_by_added_p99(mut self) -> Self {
        self.verdict = Verdict::AddedP99;
        self
    }

    /// The median itself counts.
    pub(crate) fn judged_by_median(mut self) -> Self {
        self.verdict = Verdict::Median;
        self
    }

    /// What counts may be this much at the most, in base units.
    pub(crate) fn at_most(mut self, target: f64) -> Self {
        self.target = Some(Target::AtMost(target));
        self
    }

    /// What counts must be this much at the least, in base units.
    pub(crate) fn at_least(mut self, target: f64) -> Self {
        self.target = Some(Target::AtLeast(target));
        self
    }

    /// Whether every value that the line shows was measured.
    pub(crate) fn is_measured(&self) -> bool {
        let finite = |samples: &Samples| samples.len() > 0 && samples.values().iter().all(|v| v.is_finite());
        finite(&self.samples) && self.floor.as_ref().is_none_or(|floor| finite(&floor.samples))
    }

    /// The figure's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the target is met; `None` without one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtMost(most) => self.value() <= most,
            Target::AtLeast(least) => self.value() >= least,
        })
    }

    /// What counts, in base units.
    fn value(&self) -> f64 {
        let floor = || self.floor.as_ref().map_or(f64::NAN, |floor| floor.samples.median());
        match self.verdict {
            Verdict::Added { among, .. } => (self.samples.median() - floor()) / among,
            Verdict::Ratio => self.samples.median() / floor(),
            Verdict::P99 => self.samples.percentile(99),
            Verdict::AddedP99 => {
                let floor = self.floor.as_ref().map_or(f64::NAN, |floor| floor.samples.percentile(99));
                self.samples.percentile(99) - floor
            }
            Verdict::Median => self.samples.median(),
        }
    }

    /// The heads of the columns.
    pub(crate) const HEADS: [&'static str; 9] =
        ["figure", "n", "median", "p95", "floor", "its median", "its p95", "comes to", "target"];

    /// The columns of this line.
    pub(crate) fn columns(&self) -> [String; 9] {
        let show = |value| self.unit.show(value);
        let none = || "–".to_owned();
        let of_floor = |value: fn(&Samples) -> f64| {
            self.floor.as_ref().map_or_else(none, |floor| show(value(&floor.samples)))
        };
        [
            self.name.clone(),
            self.samples.len().to_string(),
            show(self.samples.median()),
            show(self.samples.percentile(95)),
            self.floor.as_ref().map_or_else(none, |floor| floor.name.to_owned()),
            of_floor(Samples::median),
            of_floor(|samples| samples.percentile(95)),
            self.show_verdict(self.value()),
            self.show_target(),
        ]
    }

    fn show_verdict(&self, value: f64) -> String {
        match self.verdict {
            Verdict::Added { unit, .. } => {
                let sign = if value < 0.0 { "" } else { "+" };
                format!("{sign}{}", unit.show(value))
            }
            Verdict::AddedP99 => {
                let sign = if value < 0.0 { "" } else { "+" };
                format!(
                    "p99 {sign}{} ({})",
                    self.unit.show(value),
                    self.unit.show(self.samples.percentile(99))
                )
            }
            Verdict::Ratio => format!("× {value:.2}"),
            Verdict::P99 => match &self.floor {
                Some(floor) => {
                    let idle = self.unit.show(floor.samples.percentile(99));
                    format!("p99 {} (floor {idle})", self.unit.show(value))
                }
                None => format!("p99 {}", self.unit.show(value)),
            },
            Verdict::Median => self.unit.show(value),
        }
    }

    fn show_target(&self) -> String {
        let Some(target) = self.target else { return "–".to_owned() };
        let unit = match self.verdict {
            Verdict::Added { unit, .. } => unit,
            _ => self.unit,
        };
        let met = if self.is_met() == Some(true) { "met" } else { "**missed**" };
        match target {
            Target::AtMost(most) => format!("≤ {}: {met}", unit.show(most)),
            Target::AtLeast(least) => format!("≥ {}: {met}", unit.show(least)),
        }
    }

    /// Everything, in base units.
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "samples": self.samples.values(),
            "median": self.samples.median(),
            "p95": self.samples.percentile(95),
            "p99": self.samples.percentile(99),
            "floor": self.floor.as_ref().map(|floor| json!({
                "name": floor.name,
                "samples": floor.samples.values(),
                "median": floor.samples.median(),
                "p95": floor.samples.percentile(95),
                "p99": floor.samples.percentile(99),
            })),
            "value": self.value(),
            "target": self.target.map(|(Target::AtMost(bound) | Target::AtLeast(bound))| bound),
            "met": self.is_met(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        values.iter().copied().collect()
    }

    #[test]
    fn a_difference_is_held_against_its_target() {
        let floor = samples(&[0.3, 0.31, 0.32]);
        let figure =
            Figure::new("launch", Unit::Milliseconds, samples(&[0.35, 0.36, 0.4])).over("bare", &floor);
        let columns = figure.clone().at_most(0.06).columns();
        assert_eq!(columns[7..], ["+50.0 ms", "≤ 60.0 ms: met"]);
        assert_eq!(figure.at_most(0.04).columns()[8], "≤ 40.0 ms: **missed**");
    }

    #[test]
    fn a_difference_can_be_shared_out() {
        let floor = samples(&[10e6]);
        let figure = Figure::new("RSS", Unit::Mebibytes, samples(&[10e6 + 200.0 * 1024.0 * 30.0]))
            .over("idle", &floor)
            .each_of(200, Unit::Kibibytes)
            .at_most(64.0 * 1024.0);
        assert_eq!(figure.columns()[7..], ["+30.0 KiB", "≤ 64.0 KiB: met"]);
    }

    #[test]
    fn a_rate_is_held_against_the_least_that_it_must_be() {
        let figure = Figure::new("append", Unit::PerSecond, samples(&[30e3])).at_least(20e3);
        assert_eq!(figure.columns()[8], "≥ 20000/s: met");
        assert_eq!(figure.at_least(40e3).is_met(), Some(false));
    }

    #[test]
    fn what_was_not_measured_is_noticed() {
        let figure = Figure::new("x", Unit::Microseconds, Samples::default());
        assert!(!figure.is_measured());
        let figure = Figure::new("x", Unit::Microseconds, samples(&[1.0]));
        assert!(figure.is_measured() && figure.is_met().is_none());
        assert!(!figure.over("y", &samples(&[f64::NAN])).is_measured());
    }

    #[test]
    fn a_comparison_without_its_floor_meets_nothing() {
        let figure = Figure::new("x", Unit::PerSecond, samples(&[1.0])).judged_by_ratio().at_most(2.0);
        assert_eq!(figure.is_met(), Some(false));
    }
}
