//! How long people may take to answer.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An hour: a turn that waits for a person keeps its container.
const TIMEOUT: u64 = 3600;

/// How long people may take to answer what an agent asks, and what follows when nobody does. What a configuration leaves open
/// is the application's to say, and then the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalPolicy {
    /// Seconds in which a request can be answered, at most a week; an hour when nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::config::schema::answer_seconds")]
    pub timeout: Option<u64>,
    /// What follows when nobody answers in that time. Nothing is ever allowed by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
}

/// What follows when nobody answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The request is denied; the model is told why and goes on.
    #[default]
    Deny,
    /// The request is denied and the turn ends.
    Interrupt,
}

impl ApprovalPolicy {
    /// The longest time that can be given: a week.
    pub const LONGEST: u64 = 7 * 24 * 3600;

    /// Whether it says nothing.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// This policy, with another one where it says nothing.
    pub(crate) fn or(self, general: Self) -> Self {
        Self { timeout: self.timeout.or(general.timeout), on_timeout: self.on_timeout.or(general.on_timeout) }
    }

    /// The time for an answer.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(TIMEOUT).clamp(1, Self::LONGEST))
    }

    /// When a request that is made now can be answered no more.
    pub(super) fn expires(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.patience()).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_s_word_comes_first_and_nothing_lasts_for_ever() {
        let general = ApprovalPolicy { timeout: Some(9), on_timeout: Some(OnTimeout::Interrupt) };
        let own = ApprovalPolicy { timeout: Some(5), on_timeout: None };
        assert_eq!(own.or(general), ApprovalPolicy { timeout: Some(5), ..general });
        let patience = |timeout| ApprovalPolicy { timeout, ..ApprovalPolicy::default() }.patience().as_secs();
        assert_eq!((patience(None), patience(Some(0))), (TIMEOUT, 1));
        assert_eq!(patience(Some(u64::MAX)), ApprovalPolicy::LONGEST);
    }
}
