//! The `session` and `approvals` parts of a configuration: how long things may last.

use super::read::{Field, Reader};
use crate::session::{ApprovalPolicy, IdleAction, OnTimeout, SessionPolicy, StuckAction};

const FIELDS: [&str; 6] =
    ["idle_timeout", "idle_action", "max_lifetime", "stuck_after", "stuck_action", "max_turn"];

const IDLE_ACTIONS: [(&str, IdleAction); 3] =
    [("pause", IdleAction::Pause), ("stop", IdleAction::Stop), ("remove", IdleAction::Remove)];

const STUCK_ACTIONS: [(&str, StuckAction); 3] = [
    ("notify", StuckAction::Notify),
    ("interrupt", StuckAction::Interrupt),
    ("restart", StuckAction::Restart),
];

/// Never, to a year.
pub(super) const SECONDS: std::ops::RangeInclusive<i64> = 0..=31_536_000;

/// Reads the `session` part.
pub(super) fn read(reader: &mut Reader, field: &Field<'_>) -> SessionPolicy {
    let Some(object) = reader.object(field) else { return SessionPolicy::default() };
    let mut seconds = |name: &str| {
        let seconds = object.get(name).and_then(|field| reader.integer(&field, SECONDS));
        seconds.and_then(|seconds| u64::try_from(seconds).ok())
    };
    let policy = SessionPolicy {
        idle_timeout: seconds("idle_timeout"),
        max_lifetime: seconds("max_lifetime"),
        stuck_after: seconds("stuck_after"),
        max_turn: seconds("max_turn"),
        idle_action: object.get("idle_action").and_then(|field| reader.word(&field, &IDLE_ACTIONS)),
        stuck_action: object.get("stuck_action").and_then(|field| reader.word(&field, &STUCK_ACTIONS)),
    };
    reader.unknown(&object, &FIELDS);
    policy
}

const ON_TIMEOUT: [(&str, OnTimeout); 2] = [("deny", OnTimeout::Deny), ("interrupt", OnTimeout::Interrupt)];

/// A person needs a moment, and a container does not wait for ever.
pub(super) const ANSWER_SECONDS: std::ops::RangeInclusive<i64> = 1..=ApprovalPolicy::LONGEST.cast_signed();

/// Reads the `approvals` part.
pub(super) fn approvals(reader: &mut Reader, field: &Field<'_>) -> ApprovalPolicy {
    let Some(object) = reader.object(field) else { return ApprovalPolicy::default() };
    let timeout = object.get("timeout").and_then(|field| reader.integer(&field, ANSWER_SECONDS));
    let policy = ApprovalPolicy {
        timeout: timeout.and_then(|seconds| u64::try_from(seconds).ok()),
        on_timeout: object.get("on_timeout").and_then(|field| reader.word(&field, &ON_TIMEOUT)),
    };
    reader.unknown(&object, &["timeout", "on_timeout"]);
    policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AgentConfig;

    #[test]
    fn a_session_policy_is_read_field_by_field() {
        let text = "{id: x, name: X, session: {idle_timeout: 90, idle_action: pause, stuck_action: restart, max_turn: 0}}";
        let policy = AgentConfig::from_yaml(text).unwrap().config.session;
        let expected = SessionPolicy {
            idle_timeout: Some(90),
            idle_action: Some(IdleAction::Pause),
            stuck_action: Some(StuckAction::Restart),
            max_turn: Some(0),
            ..SessionPolicy::default()
        };
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_misspelt_policy_is_refused() {
        let error = AgentConfig::from_yaml("{id: x, name: X, session: {idle_action: freeze}}").unwrap_err();
        assert!(error.to_string().contains("session.idle_action"), "{error}");
    }
}
