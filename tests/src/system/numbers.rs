//! The server's numbers, as Prometheus reads them.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use reqwest::Method;

use super::Api;

/// What one line says.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The metric, or a part of a histogram.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All numbers of one moment.
#[derive(Debug, Clone)]
pub struct Numbers(Vec<Sample>);

impl Numbers {
    /// All lines.
    pub fn samples(&self) -> &[Sample] {
        &self.0
    }

    /// The sum of a metric over all lines that have these labels, whatever others they have.
    pub fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            let has =
                |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(has)
        };
        self.0.iter().filter(fits).map(|sample| sample.value).sum()
    }
}

impl Api {
    /// Reads the server's numbers.
    ///
    /// # Errors
    /// When they are refused, or are not in Prometheus' text format.
    pub async fn numbers(&self) -> anyhow::Result<Numbers> {
        let answer = self.request(Method::GET, "/metrics").send().await?;
        ensure!(answer.status().is_success(), "the numbers are refused: {}", answer.status());
        let text = answer.text().await?;
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let samples = lines.map(|line| sample(line).with_context(|| format!("{line:?} is no sample")));
        Ok(Numbers(samples.collect::<anyhow::Result<_>>()?))
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, value) = label.trim_end_matches('"').split_once("=\"")?;
        Some((name.to_owned(), value.to_owned()))
    });
    Some(Sample { name: name.to_owned(), labels: labels.collect::<Option<_>>()?, value: value.parse().ok()? })
}
