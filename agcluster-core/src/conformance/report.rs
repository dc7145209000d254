//! What a run of the suite came to.

use std::fmt;
use std::time::Duration;

use super::{Outcome, Verdict};

/// What a run of the suite came to. Printed, it is a table.
#[derive(Debug, Clone)]
pub struct Report {
    /// The provider's platform.
    pub platform: &'static str,
    /// One row for each case, in the order in which they are listed.
    pub rows: Vec<Row>,
}

/// What one case came to.
#[derive(Debug, Clone)]
pub struct Row {
    /// The case.
    pub case: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Whether nothing failed.
    pub fn is_success(&self) -> bool {
        self.rows.iter().all(|row| row.verdict.is_ok())
    }

    /// The row of a case.
    pub fn row(&self, case: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.case.len()).max().unwrap_or(0);
        writeln!(f, "{:width$}  {:11}  {:>8}", self.platform, "outcome", "took")?;
        for Row { case, verdict, took } in &self.rows {
            let outcome = match verdict {
                Ok(Outcome::Passed) => "passed",
                Ok(Outcome::NotClaimed) => "not claimed",
                Err(_) => "FAILED",
            };
            write!(f, "{case:width$}  {outcome:11}  {:>5} ms", took.as_millis())?;
            if let Err(failed) = verdict {
                write!(f, "  {failed}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Failed;

    fn row(case: &'static str, verdict: Verdict) -> Row {
        Row { case, verdict, took: Duration::from_millis(12) }
    }

    #[test]
    fn is_a_table_and_a_success_only_without_failures() {
        let mut rows = vec![row("a", Ok(Outcome::Passed)), row("long", Ok(Outcome::NotClaimed))];
        let report = Report { platform: "p", rows: rows.clone() };
        assert!(report.is_success());
        rows.push(row("b", Err(Failed("no".to_owned()))));
        let report = Report { platform: "p", rows };
        assert!(!report.is_success());
        let lines: Vec<_> = report.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines[1], "a     passed          12 ms");
        assert_eq!(lines[2], "long  not claimed     12 ms");
        assert_eq!(lines[3], "b     FAILED          12 ms  no");
    }
}
