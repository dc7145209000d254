//! The table, and the file with every value.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::figure::Figure;

/// The table in Markdown.
pub(crate) fn table(figures: &[Figure]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut table = line(&Figure::HEADS.map(str::to_owned));
    table += &line(&Figure::HEADS.map(|_| "---".to_owned()));
    for figure in figures {
        table += &line(&figure.columns());
    }
    table
}

/// One sentence about the targets.
pub(crate) fn verdict(figures: &[Figure]) -> String {
    let missed: Vec<_> = figures.iter().filter(|f| f.is_met() == Some(false)).map(Figure::name).collect();
    let targets = figures.iter().filter(|figure| figure.is_met().is_some()).count();
    match missed.as_slice() {
        [] => format!("All {targets} targets are met."),
        missed => format!("{} of {targets} targets are missed: {}.", missed.len(), missed.join("; ")),
    }
}

/// Fails when a figure was not measured.
pub(crate) fn check(figures: &[Figure]) -> Result<()> {
    for figure in figures {
        ensure!(figure.is_measured(), "this could not be measured: {}", figure.name());
    }
    Ok(())
}

/// Writes every value.
pub(crate) fn write(path: &Path, machine: &Value, figures: &[Figure]) -> Result<()> {
    let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
    let text = serde_json::to_string_pretty(&json!({ "machine": machine, "figures": figures }))?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::figure::Unit;
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_figure_and_names_what_is_missed() {
        let figure = |name: &str, value: f64| {
            Figure::new(name, Unit::Mebibytes, [value].into_iter().collect()).at_most(30e6)
        };
        let figures = [figure("one", 20e6), figure("two", 40e6)];
        let table = table(&figures);
        assert_eq!(table.lines().count(), 4);
        let columns: Vec<_> = table.lines().map(|line| line.matches('|').count()).collect();
        assert!(columns.iter().all(|count| *count == Figure::HEADS.len() + 1), "{table}");
        assert_eq!(verdict(&figures), "1 of 2 targets are missed: two.");
        assert_eq!(verdict(&figures[..1]), "All 1 targets are met.");
    }
}
