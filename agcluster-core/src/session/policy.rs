//! What happens to a session that nobody needs, and to a turn that gets nowhere.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a session's configuration says instead of the application's [`IdlePolicy`](super::IdlePolicy) and
/// [`WatchdogPolicy`](super::WatchdogPolicy).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(description = "What happens to a session that nobody needs, and to a turn that gets nowhere.")]
pub struct SessionPolicy {
    /// Seconds without a turn or a request that acts, after which `idle_action` is taken; 0 for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::config::schema::seconds")]
    pub idle_timeout: Option<u64>,
    /// What is done to an idle session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_action: Option<IdleAction>,
    /// Seconds after which the session is removed, whatever it is doing; 0 for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::config::schema::seconds")]
    pub max_lifetime: Option<u64>,
    /// Seconds in which a turn may be silent before it is held to be stuck; 0 for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::config::schema::seconds")]
    pub stuck_after: Option<u64>,
    /// What is done to a stuck turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_action: Option<StuckAction>,
    /// Seconds that a turn may take; 0 for any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::config::schema::seconds")]
    pub max_turn: Option<u64>,
}

impl SessionPolicy {
    /// Whether it says nothing.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What is done to an idle session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdleAction {
    /// It is frozen where the platform keeps memory, and stopped elsewhere. The next message thaws it.
    Pause,
    /// Its container goes, workspace and conversation stay. The next message makes a new container.
    Stop,
    /// It goes, with all it has.
    #[default]
    Remove,
}

/// What is done to a stuck turn. It is always said in the session's events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StuckAction {
    /// Nothing more.
    #[default]
    Notify,
    /// The turn is interrupted.
    Interrupt,
    /// The agent program is started anew with its conversation; the turn ends as failed.
    Restart,
}

/// A time that may be said to be unlimited.
pub(super) fn limit(own: Option<u64>, general: Option<Duration>) -> Option<Duration> {
    match own {
        None => general,
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_s_own_word_comes_before_the_general_one() {
        let general = Some(Duration::from_secs(5));
        assert_eq!(limit(None, general), general);
        assert_eq!(limit(Some(0), general), None);
        assert_eq!(limit(Some(7), general), Some(Duration::from_secs(7)));
    }
}
