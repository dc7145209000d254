//! Prompts that are added to a turn, in every order in which the program may take them up.

use agcluster_protocol::{Event, EventBody, Outcome, PermissionMode, PromptBlock, PromptId, TurnEnd, TurnId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Session;

/// A session with a turn that the program works on.
fn at_work() -> (Session, TurnId) {
    let mut session = Session::new("c", PermissionMode::Ask);
    let turn = TurnId::generate();
    session.prompt(turn);
    lifecycle(&mut session, &turn.to_string(), "queued");
    lifecycle(&mut session, &turn.to_string(), "started");
    init(&mut session, &turn.to_string());
    (session, turn)
}

fn add(session: &mut Session, turn: TurnId) -> String {
    let id = PromptId::generate();
    session.recorder.add(turn, id, vec![PromptBlock::text("x")]).unwrap();
    let line = session.conduct.add(turn, id, &[PromptBlock::text("x")]).unwrap();
    assert_eq!((&line["uuid"], &line["message"]["content"]), (&json!(id), &json!("x")));
    id.to_string()
}

fn lifecycle(session: &mut Session, message: &str, state: &str) {
    let line = json!({"type": "command_lifecycle", "command_uuid": message, "state": state});
    session.line(&line.to_string());
}

fn init(session: &mut Session, message: &str) {
    let line =
        json!({"type": "system", "subtype": "init", "session_id": "c", "user_message_uuids": [message]});
    session.line(&line.to_string());
}

fn result(session: &mut Session, messages: &[&str], text: &str) {
    let models: Value = json!({"m": {"inputTokens": 1, "outputTokens": 2, "costUSD": 0.5}});
    let line = json!({"type": "result", "subtype": "success", "is_error": false, "result": text,
        "user_message_uuids": messages, "model_usage_since_last_result": models});
    session.line(&line.to_string());
}

fn ends(session: &Session) -> Vec<(Option<TurnId>, TurnEnd)> {
    let end = |event: Event| match event.body {
        EventBody::TurnEnded(end) => Some((event.turn, end)),
        _ => None,
    };
    session.events().into_iter().filter_map(end).collect()
}

#[test]
fn what_is_taken_into_the_work_has_no_result_of_its_own() {
    let (mut session, turn) = at_work();
    let (one, two) = (add(&mut session, turn), add(&mut session, turn));
    for message in [&one, &two] {
        lifecycle(&mut session, message, "queued");
        lifecycle(&mut session, message, "started");
    }
    // One may be said to be done before the result, and one after it.
    lifecycle(&mut session, &one, "completed");
    result(&mut session, &[&turn.to_string()], "both");
    lifecycle(&mut session, &two, "completed");
    lifecycle(&mut session, &turn.to_string(), "completed");
    let ends = ends(&session);
    assert_eq!((ends.len(), ends[0].0, ends[0].1.result.as_deref()), (1, Some(turn), Some("both")));
}

#[test]
fn what_is_taken_up_after_the_result_is_part_of_the_turn() {
    let (mut session, turn) = at_work();
    let (one, two) = (add(&mut session, turn), add(&mut session, turn));
    lifecycle(&mut session, &one, "queued");
    result(&mut session, &[&turn.to_string()], "first");
    assert_eq!(ends(&session).len(), 0);
    lifecycle(&mut session, &turn.to_string(), "completed");
    lifecycle(&mut session, &two, "queued");
    for message in [&one, &two] {
        lifecycle(&mut session, message, "started");
    }
    init(&mut session, &one);
    assert_eq!(ends(&session).len(), 0);
    result(&mut session, &[&one, &two], "second");
    for message in [&one, &two] {
        lifecycle(&mut session, message, "completed");
    }
    let ends = ends(&session);
    let [(of, end)] = ends.as_slice() else { panic!("{ends:?}") };
    assert_eq!((*of, end.result.as_deref(), &end.outcome), (Some(turn), Some("second"), &Outcome::Completed));
    assert_eq!((end.usage.input_tokens, end.usage.output_tokens, end.cost_usd), (2, 4, Some(1.0)));
    assert_eq!(end.models["m"].usage.output_tokens, 4);
    let begun =
        session.events().into_iter().filter(|event| matches!(event.body, EventBody::TurnStarted { .. }));
    assert_eq!(begun.count(), 1, "a turn of the program's own was made of it");
}

#[test]
fn what_the_program_will_not_take_up_does_not_hold_the_turn_open() {
    let (mut session, turn) = at_work();
    let one = add(&mut session, turn);
    result(&mut session, &[&turn.to_string()], "first");
    lifecycle(&mut session, &one, "queued");
    lifecycle(&mut session, &one, "cancelled");
    let ends = ends(&session);
    assert_eq!((ends.len(), &ends[0].1.outcome), (1, &Outcome::Interrupted));
    assert_eq!(ends[0].1.result.as_deref(), Some("first"));
}

#[test]
fn an_interruption_ends_all_of_it() {
    let (mut session, turn) = at_work();
    add(&mut session, turn);
    let line = json!({"type": "result", "subtype": "error_during_execution", "is_error": true,
        "terminal_reason": "aborted_streaming", "user_message_uuids": [turn]});
    session.line(&line.to_string());
    let ends = ends(&session);
    assert_eq!((ends.len(), &ends[0].1.outcome), (1, &Outcome::Interrupted));
    assert!(!session.conduct.is_busy());
}

proptest! {
    #[test]
    fn in_whatever_order_a_turn_has_one_end(
        steps in prop::collection::vec((0..3_usize, 0..6_usize), 0..40),
    ) {
        let (mut session, turn) = at_work();
        let messages = [turn.to_string(), add(&mut session, turn), add(&mut session, turn)];
        for (which, what) in steps {
            let message = messages[which].as_str();
            match what {
                0 => init(&mut session, message),
                1 => result(&mut session, &[message], "x"),
                _ => lifecycle(&mut session, message, ["queued", "started", "completed", "cancelled"][what - 2]),
            }
        }
        let is_over = ends(&session).iter().any(|(of, _)| *of == Some(turn));
        prop_assert_eq!(session.conduct.works_on(turn), !is_over);
        session.conduct.abandon(&Outcome::Interrupted);
        let ends = ends(&session);
        prop_assert_eq!(ends.iter().filter(|(of, _)| *of == Some(turn)).count(), 1, "{:?}", ends);
        prop_assert!(session.recorder.open_turn().is_none());
    }
}
