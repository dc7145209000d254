//! What a store shows at one moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::model::{AgentConfig, ConfigSummary};
use super::super::problem::{ConfigError, FieldProblem};
use super::super::suggest::did_you_mean;
use super::super::{names, path};
use super::ConfigSource;

/// A configuration of a store.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigEntry {
    /// The configuration.
    pub config: Arc<AgentConfig>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// What has no effect or is unwise in its document.
    pub warnings: Vec<FieldProblem>,
}

impl ConfigEntry {
    /// What a list of configurations shows of this one.
    pub fn summary(&self) -> ConfigSummary {
        self.config.summary(self.source)
    }
}

/// What is wrong with a file of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileProblem {
    /// The name of the file, without its folder.
    pub file: String,
    /// What its folder holds.
    pub source: ConfigSource,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: FieldProblem,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}

/// A store has no usable configuration of an id. `Display` is one sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigLookupError {
    /// There is none. Holds the sentence.
    NotFound(String),
    /// The file of this id cannot be used.
    Invalid {
        /// The id.
        id: String,
        /// What is wrong with the file.
        error: ConfigError,
    },
}

impl fmt::Display for ConfigLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(message) => f.write_str(message),
            Self::Invalid { id, error } => {
                write!(f, "Configuration '{id}' cannot be used until its file is mended: {error}")
            }
        }
    }
}

impl std::error::Error for ConfigLookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound(_) => None,
            Self::Invalid { error, .. } => Some(error),
        }
    }
}

/// What a file turned out to be.
pub(super) type Outcome = Result<Arc<ConfigEntry>, ConfigError>;

/// What a store shows at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    by_id: BTreeMap<String, Outcome>,
    problems: Vec<FileProblem>,
}

impl Snapshot {
    /// Adds what was found, unless something with precedence has taken the id.
    pub(super) fn add(&mut self, id: &str, outcome: Outcome) {
        self.by_id.entry(id.to_owned()).or_insert(outcome);
    }

    pub(super) fn report(&mut self, problem: FileProblem) {
        self.problems.push(problem);
    }

    pub(super) fn get(&self, id: &str) -> Result<Arc<ConfigEntry>, ConfigLookupError> {
        match self.by_id.get(id) {
            Some(Ok(entry)) => Ok(Arc::clone(entry)),
            Some(Err(error)) => Err(ConfigLookupError::Invalid { id: id.to_owned(), error: error.clone() }),
            None => Err(ConfigLookupError::NotFound(self.not_found(id))),
        }
    }

    fn not_found(&self, id: &str) -> String {
        if !names::is_id(id) {
            let id = path::quoted(id);
            return format!("{id} is not the id of a configuration, which is made of a-z, 0-9, - and _");
        }
        let hint = did_you_mean(id, self.by_id.keys().map(String::as_str));
        let hint = if hint.is_empty() { "; list the configurations to see which there are" } else { &hint };
        format!("Configuration '{id}' not found{hint}")
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<ConfigEntry>> {
        self.by_id.values().filter_map(|outcome| outcome.as_ref().ok())
    }

    pub(super) fn problems(&self) -> &[FileProblem] {
        &self.problems
    }
}

/// Files that did not change keep their entry, so that the same entries are the same allocations.
impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Outcome, &Outcome)| match (a, b) {
            (Ok(a), Ok(b)) => Arc::ptr_eq(a, b),
            (Err(a), Err(b)) => a == b,
            _ => false,
        };
        self.by_id.keys().eq(other.by_id.keys())
            && self.by_id.values().zip(other.by_id.values()).all(same)
            && self.problems == other.problems
    }
}
