use proptest::prelude::*;

use super::*;

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Starting),
        Just(Status::Running),
        Just(Status::Paused),
        Just(Status::Sleeping),
        Just(Status::Stopping),
        Just(Status::Stopped),
        Just(Status::Failed { reason: "x".into() }),
    ]
}

proptest! {
    #[test]
    fn what_is_stopped_stays_stopped(next in prop::collection::vec(status(), 0..20)) {
        let mut state = State { status: Status::Stopped, ..State::default() };
        for next in next {
            prop_assert!(state.go(next).is_err());
        }
        prop_assert_eq!(state.status, Status::Stopped);
    }

    #[test]
    fn running_comes_only_after_starting_or_thawing(path in prop::collection::vec(status(), 0..20)) {
        let mut state = State::default();
        for next in path {
            let before = state.status.clone();
            if state.go(next).is_ok() && state.status == Status::Running {
                prop_assert!(matches!(before, Status::Starting | Status::Paused));
            }
        }
    }
}

#[test]
fn one_turn_at_a_time() {
    let mut state = State { status: Status::Running, ..State::default() };
    let (first, second) = (TurnId::generate(), TurnId::generate());
    state.begin(first).unwrap();
    assert!(matches!(state.begin(second), Err(SessionError::Busy { turn: Some(turn) }) if turn == first));
    state.end(second);
    assert_eq!(state.turn, Some(first), "another turn's end frees nothing");
    state.end(first);
    state.begin(second).unwrap();
}

#[test]
fn no_turn_before_it_runs() {
    let error = State::default().begin(TurnId::generate()).unwrap_err();
    assert!(matches!(error, SessionError::NotRunning { status: "starting", .. }));
}

#[test]
fn a_state_is_read_back_as_it_was_kept() {
    let state = State {
        status: Status::Failed { reason: "its container is gone".into() },
        turn: Some(TurnId::generate()),
        generation: 3,
        ..State::default()
    };
    let kept = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&kept).unwrap(), state);
}
