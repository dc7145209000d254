//! What is wrong with a configuration, and where.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::path::FieldPath;

/// The most problems, and the most warnings, that are collected from one document.
pub(super) const MAX_PROBLEMS: usize = 100;

/// How many problems the one-sentence form of a [`ConfigError`] spells out.
const SHOWN: usize = 5;

/// A place in a YAML document. Lines and columns count characters and start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One problem of one field.
///
/// `Display` gives the message with the position behind it: `` `max_turns` must be at least 1 (line 4, column 12) ``.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ConfigProblem")]
pub struct FieldProblem {
    /// The path of the field, such as `agents.frontend.tools[2]`; empty when the document as a whole is meant.
    pub field: String,
    /// A whole sentence for a person: it names the field and says what to do.
    pub message: String,
    /// Where in the document; absent for what was not read from a YAML text.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

impl FieldProblem {
    /// A problem whose sentence starts with the field: `predicate` is its rest, such as `must be at least 1`.
    pub(super) fn new(path: &FieldPath, predicate: impl fmt::Display) -> Self {
        let message = match path.as_str() {
            "" => format!("the document {predicate}"),
            field => format!("`{field}` {predicate}"),
        };
        Self { field: path.to_string(), message, position: None }
    }

    /// A problem with a sentence of its own.
    pub(super) fn sentence(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), position: None }
    }

    /// The same problem, placed.
    pub(super) fn at(mut self, position: Option<Position>) -> Self {
        self.position = position;
        self
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.position {
            Some(Position { line, column }) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// A configuration, or what was given along with it, cannot be used. Holds every problem that was found, up to a
/// hundred, and at least one.
///
/// `Display` is one sentence: the problem itself if there is one, otherwise their number and the first few. It never
/// holds a path of the machine, the value of an environment variable or a header, or a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<FieldProblem>,
}

impl ConfigError {
    /// `Ok` when there are no problems.
    pub(super) fn check(problems: Vec<FieldProblem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// An error of one problem.
    pub(super) fn one(problem: FieldProblem) -> Self {
        Self { problems: vec![problem] }
    }

    /// The problems, in the order of a YAML document's lines, of the format's fields for JSON.
    pub fn problems(&self) -> &[FieldProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.len() > 1 {
            write!(f, "{} problems: ", self.problems.len())?;
        }
        for (index, problem) in self.problems.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        match self.problems.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(number: usize) -> ConfigError {
        let problem = |index| FieldProblem::sentence("f", format!("p{index}"));
        ConfigError { problems: (0..number).map(problem).collect() }
    }

    #[test]
    fn one_problem_speaks_for_itself() {
        assert_eq!(problems(1).to_string(), "p0");
    }

    #[test]
    fn many_problems_are_counted_and_cut() {
        assert_eq!(problems(2).to_string(), "2 problems: p0; p1");
        assert_eq!(problems(7).to_string(), "7 problems: p0; p1; p2; p3; p4; and 2 more");
    }

    #[test]
    fn a_position_stands_behind_the_message() {
        let problem = FieldProblem::sentence("f", "`f` is odd").at(Some(Position { line: 3, column: 7 }));
        assert_eq!(problem.to_string(), "`f` is odd (line 3, column 7)");
        assert_eq!(
            serde_json::to_value(&problem).unwrap(),
            serde_json::json!({"field": "f", "message": "`f` is odd", "line": 3, "column": 7})
        );
    }
}
