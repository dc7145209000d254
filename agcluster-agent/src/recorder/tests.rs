use agcluster_protocol::event::{PermissionKind, PermissionRequest};
use agcluster_protocol::{FailureReason, Limit};
use proptest::prelude::*;

use super::*;
use crate::ReplayLimits;

fn recorder() -> (Recorder, Arc<EventLog>) {
    let log = Arc::new(EventLog::new(ReplayLimits::default()));
    (Recorder::new(log.clone(), 3), log)
}

fn status() -> Entry {
    EventBody::Status { status: None }.into()
}

fn asked(request_id: &str) -> Entry {
    EventBody::PermissionRequested(PermissionRequest {
        request_id: request_id.to_owned(),
        call_id: None,
        kind: PermissionKind::Tool,
        tool: "Bash".to_owned(),
        display_name: None,
        input: Value::Null,
        reason: None,
        blocked_path: None,
        suggestions: Vec::new(),
    })
    .into()
}

fn completed() -> TurnEnd {
    TurnEnd::bare(Outcome::Completed)
}

fn types(log: &EventLog) -> Vec<String> {
    log.events()
        .iter()
        .map(|event| {
            let body = serde_json::to_value(&event.body).unwrap();
            let turn = if event.turn.is_some() { "" } else { "-" };
            format!("{turn}{}", body["type"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn a_turn_begins_is_told_and_ends_once() {
    let (recorder, log) = recorder();
    let turn = TurnId::generate();
    let begun = recorder.begin(turn, Vec::new()).unwrap();
    assert!(begun.fresh);
    assert_eq!(begun.after, 0);
    recorder.record(Some(turn), status());
    recorder.end(turn, completed(), Map::new());
    recorder.end(turn, completed(), Map::new());
    recorder.record(Some(turn), EventBody::TurnEnded(completed()).into());
    recorder.record(Some(turn), status());
    assert_eq!(types(&log), ["turn_started", "status", "turn_ended", "-status"]);
    assert_eq!(begun.mark.get(), Some(&3));
    assert!(log.events().iter().all(|event| event.generation == 3));
}

#[test]
fn one_turn_at_a_time_and_a_known_one_is_not_begun_again() {
    let (recorder, _) = recorder();
    let (first, second) = (TurnId::generate(), TurnId::generate());
    recorder.record(None, status());
    recorder.begin(first, Vec::new()).unwrap();
    assert_eq!(recorder.begin(second, Vec::new()).unwrap_err(), NotBegun::Busy);
    let again = recorder.begin(first, Vec::new()).unwrap();
    assert_eq!((again.fresh, again.after), (false, 1));
    recorder.end(first, completed(), Map::new());
    let again = recorder.begin(first, Vec::new()).unwrap();
    assert!(!again.fresh && again.mark.get().is_some());
    assert!(recorder.begin(second, Vec::new()).unwrap().fresh);
}

#[test]
fn a_turn_of_the_agents_own_stands_beside_a_clients() {
    let (recorder, log) = recorder();
    let client = TurnId::generate();
    recorder.begin(client, Vec::new()).unwrap();
    let own = recorder.begin_own();
    assert_eq!(recorder.open_turn(), Some(client));
    recorder.end(client, completed(), Map::new());
    assert_eq!(recorder.open_turn(), Some(own));
    assert_eq!(recorder.begin(TurnId::generate(), Vec::new()).unwrap_err(), NotBegun::Busy);
    recorder.end(own, completed(), Map::new());
    assert_eq!(types(&log), ["turn_started", "turn_started", "turn_ended", "turn_ended"]);
}

#[test]
fn what_a_turn_asks_is_withdrawn_before_its_end() {
    let (recorder, log) = recorder();
    let turn = TurnId::generate();
    recorder.begin(turn, Vec::new()).unwrap();
    recorder.record(Some(turn), asked("r1"));
    recorder.record(Some(turn), asked("r2"));
    assert!(recorder.is_asked("r1"));
    let allowed = EventBody::RequestResolved { request_id: "r1".into(), resolution: Resolution::Allowed };
    recorder.record(Some(turn), allowed.clone().into());
    recorder.record(Some(turn), allowed.into());
    recorder.end(turn, completed(), Map::new());
    assert!(!recorder.is_asked("r2"));
    let expected = [
        "turn_started",
        "permission_requested",
        "permission_requested",
        "request_resolved",
        "request_resolved",
        "turn_ended",
    ];
    assert_eq!(types(&log), expected);
}

#[test]
fn after_the_end_of_the_session_no_turn_begins() {
    let (recorder, log) = recorder();
    let turn = TurnId::generate();
    recorder.begin(turn, Vec::new()).unwrap();
    recorder.record(None, asked("r"));
    let message = "x".to_owned();
    recorder.close(&Outcome::Failed { reason: FailureReason::SessionStopped, message });
    recorder.close(&Outcome::Limit { which: Limit::Time });
    assert_eq!(recorder.begin(TurnId::generate(), Vec::new()).unwrap_err(), NotBegun::Closed);
    let own = recorder.begin_own();
    recorder.record(Some(own), status());
    recorder.end(own, completed(), Map::new());
    let expected = ["turn_started", "-permission_requested", "-request_resolved", "turn_ended", "-status"];
    assert_eq!(types(&log), expected);
}

#[test]
fn only_the_latest_turns_are_remembered() {
    let (recorder, _) = recorder();
    let first = TurnId::generate();
    for turn in std::iter::once(first).chain((0..300).map(|_| TurnId::generate())) {
        recorder.begin(turn, Vec::new()).unwrap();
        recorder.end(turn, completed(), Map::new());
    }
    assert!(recorder.begin(first, Vec::new()).unwrap().fresh);
}

#[derive(Debug, Clone)]
enum Act {
    Begin(usize),
    BeginOwn,
    Record(usize),
    End(usize),
    EndByEvent(usize),
    Close,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..6_usize).prop_map(Act::Begin),
        2 => Just(Act::BeginOwn),
        6 => (0..8_usize).prop_map(Act::Record),
        4 => (0..8_usize).prop_map(Act::End),
        2 => (0..8_usize).prop_map(Act::EndByEvent),
        1 => Just(Act::Close),
    ]
}

proptest! {
    #[test]
    fn whatever_is_done_a_turn_has_one_beginning_and_at_most_one_end(acts in prop::collection::vec(any_act(), 0..60)) {
        let (recorder, log) = recorder();
        let mut turns: Vec<TurnId> = (0..6).map(|_| TurnId::generate()).collect();
        for act in acts {
            match act {
                Act::Begin(nth) => drop(recorder.begin(turns[nth], Vec::new())),
                Act::BeginOwn => turns.push(recorder.begin_own()),
                Act::Record(nth) => recorder.record(turns.get(nth).copied(), status()),
                Act::End(nth) => turns.get(nth).iter().for_each(|turn| recorder.end(**turn, completed(), Map::new())),
                Act::EndByEvent(nth) => {
                    recorder.record(turns.get(nth).copied(), EventBody::TurnEnded(completed()).into());
                }
                Act::Close => recorder.close(&Outcome::Interrupted),
            }
        }
        recorder.close(&Outcome::Interrupted);
        let events = log.events();
        for turn in turns {
            let of_turn: Vec<&Event> = events.iter().filter(|event| event.turn == Some(turn)).collect();
            let ends = of_turn.iter().filter(|event| event.is_terminal()).count();
            let begins = of_turn.iter().filter(|event| matches!(event.body, EventBody::TurnStarted { .. })).count();
            prop_assert_eq!(ends, begins);
            prop_assert!(begins <= 1);
            if let (Some(first), Some(last)) = (of_turn.first(), of_turn.last()) {
                let starts = matches!(first.body, EventBody::TurnStarted { .. });
                prop_assert!(starts && last.is_terminal());
            }
        }
        prop_assert!(events.iter().filter(|event| event.is_terminal()).all(|event| event.turn.is_some()));
    }
}
