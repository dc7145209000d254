//! Several runs of the suite side by side.

use std::fmt;

use super::{Outcome, Report, Verdict};

/// Several runs of the suite side by side: a line for each case, a column for each provider. Printed, it is a table, followed by what failed.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a>(pub &'a [Report]);

impl Table<'_> {
    /// The cases in their order, each once.
    fn cases(&self) -> Vec<&'static str> {
        let mut cases = Vec::new();
        for row in self.0.iter().flat_map(|report| &report.rows) {
            if !cases.contains(&row.case) {
                cases.push(row.case);
            }
        }
        cases
    }
}

/// What stands in the table. A case that a report does not have is said to be missing: nothing is left out silently.
fn cell(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        Some(Ok(Outcome::Passed)) => "passed",
        Some(Ok(Outcome::NotClaimed)) => "not claimed",
        Some(Err(_)) => "FAILED",
        None => "MISSING",
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cases = self.cases();
        let first = cases.iter().map(|case| case.len()).max().unwrap_or(0);
        let width = |report: &Report| report.platform.len().max("not claimed".len());
        write!(f, "{:first$}", "")?;
        for report in self.0 {
            write!(f, "  {:width$}", report.platform, width = width(report))?;
        }
        for case in cases {
            write!(f, "\n{case:first$}")?;
            for report in self.0 {
                let verdict = report.row(case).map(|row| &row.verdict);
                write!(f, "  {:width$}", cell(verdict), width = width(report))?;
            }
        }
        for report in self.0 {
            for row in &report.rows {
                if let Err(failed) = &row.verdict {
                    write!(f, "\n{} {}: {failed}", report.platform, row.case)?;
                }
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Failed, Row};
    use std::time::Duration;

    fn report(platform: &'static str, rows: &[(&'static str, Verdict)]) -> Report {
        let row = |(case, verdict): &(&'static str, Verdict)| Row {
            case,
            verdict: verdict.clone(),
            took: Duration::ZERO,
        };
        Report { platform, rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn every_case_of_every_provider_has_its_cell() {
        let (passed, no) = (Ok(Outcome::Passed), Err(Failed("no room".to_owned())));
        let one = report("docker", &[("a", passed.clone()), ("long_case", Ok(Outcome::NotClaimed))]);
        let other = report("a_rather_long_platform", &[("a", passed), ("b", no)]);
        let text = Table(&[one, other]).to_string();
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "           docker       a_rather_long_platform",
                "a          passed       passed",
                "long_case  not claimed  MISSING",
                "b          MISSING      FAILED",
                "a_rather_long_platform b: no room",
            ]
        );
    }
}
