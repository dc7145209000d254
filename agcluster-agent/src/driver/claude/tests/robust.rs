//! Whatever the program writes, the driver stands.

use agcluster_protocol::{EventBody, FailureReason, Outcome, PermissionMode, TurnId};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::conduct::Ending;
use super::{Session, ToDo, transcripts};
use crate::program::Exit;

fn session() -> (Session, TurnId) {
    let mut session = Session::new("c", PermissionMode::Ask);
    let turn = TurnId::generate();
    session.prompt(turn);
    (session, turn)
}

fn outcomes(session: &Session) -> Vec<(Option<TurnId>, Outcome)> {
    let ends = session.events().into_iter().filter_map(|event| match event.body {
        EventBody::TurnEnded(end) => Some((event.turn, end.outcome)),
        _ => None,
    });
    ends.collect()
}

fn exit() -> Exit {
    Exit { code: None, signal: Some(9), stderr: "out of luck, my-secret".to_owned() }
}

#[test]
fn a_turn_ends_with_its_program_and_says_why() {
    let (mut session, turn) = session();
    session.conduct.scrub.add("my-secret");
    session.conduct.exited(&exit(), Ending::Died);
    let ends = outcomes(&session);
    let [(of, Outcome::Failed { reason, message })] = ends.as_slice() else { panic!("{ends:?}") };
    assert_eq!((*of, *reason), (Some(turn), FailureReason::AgentExited));
    assert!(message.ends_with("for want of memory: out of luck, [redacted]"), "{message}");
}

#[test]
fn a_turn_that_was_to_end_is_interrupted_by_the_end_of_its_program() {
    let (mut session, turn) = session();
    session.conduct.exited(&exit(), Ending::Interrupted);
    assert_eq!(outcomes(&session), [(Some(turn), Outcome::Interrupted)]);
}

#[test]
fn a_prompt_that_was_taken_into_work_without_a_result_of_its_own_still_ends() {
    let (mut session, turn) = session();
    for state in ["queued", "started", "completed"] {
        session.line(&json!({"type": "command_lifecycle", "command_uuid": turn, "state": state}).to_string());
    }
    assert_eq!(outcomes(&session), [(Some(turn), Outcome::Completed)]);
}

#[test]
fn a_prompt_that_waits_behind_work_of_the_programs_own_is_told_apart() {
    let (mut session, turn) = session();
    let init = |messages: Value| {
        json!({"type": "system", "subtype": "init", "session_id": "c", "user_message_uuids": messages})
            .to_string()
    };
    let result = |messages: Value| {
        json!({"type": "result", "subtype": "success", "is_error": false, "result": "x",
            "user_message_uuids": messages})
        .to_string()
    };
    for line in [init(json!([])), result(json!([])), init(json!([turn])), result(json!([turn]))] {
        session.line(&line);
    }
    let ends = outcomes(&session);
    assert_eq!(ends.len(), 2);
    assert_ne!(ends[0].0, Some(turn));
    assert_eq!(ends[1].0, Some(turn));
}

#[test]
fn a_result_of_a_turn_that_has_ended_is_kept_but_ends_nothing() {
    let (mut session, turn) = session();
    session.conduct.abandon(&Outcome::Interrupted);
    let late =
        json!({"type": "result", "subtype": "success", "is_error": false, "user_message_uuids": [turn]});
    session.line(&late.to_string());
    assert_eq!(outcomes(&session).len(), 1);
    let last = session.events().pop().unwrap();
    assert!(matches!(last.body, EventBody::Vendor { .. }) && last.turn.is_none(), "{last:?}");
}

#[test]
fn tools_that_may_run_without_asking_are_allowed_at_once() {
    let ask = json!({"type": "control_request", "request_id": "r",
        "request": {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "x"}}});
    let mut accepting = Session::new("c", PermissionMode::AcceptEdits);
    let to_do = accepting.line(&ask.to_string());
    let [ToDo::Write(answer)] = to_do.as_slice() else { panic!("{to_do:?}") };
    assert_eq!(answer["response"]["response"]["behavior"], "allow");
    assert!(accepting.events().is_empty());
    // Not when the mode becomes another.
    accepting.line(&json!({"type": "system", "subtype": "status", "permissionMode": "default"}).to_string());
    assert!(accepting.line(&ask.to_string()).is_empty());
    let last = accepting.events().pop().unwrap();
    assert!(matches!(last.body, EventBody::PermissionRequested(_)), "{last:?}");
}

#[test]
fn a_request_that_nobody_understands_is_refused_and_kept() {
    let mut session = session().0;
    let ask = json!({"type": "control_request", "request_id": "r", "request": {"subtype": "dance"}});
    let to_do = session.line(&ask.to_string());
    let [ToDo::Write(answer)] = to_do.as_slice() else { panic!("{to_do:?}") };
    assert_eq!(answer["response"]["subtype"], "error");
    assert!(matches!(session.events().pop().unwrap().body, EventBody::Vendor { .. }));
}

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_]{0,8}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Replaces what stands at the place that `seed` leads to.
fn mutate(value: &mut Value, seed: usize, with: Value) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let at = seed % fields.len();
            if let Some((_, field)) = fields.iter_mut().nth(at) {
                mutate(field, seed / 7, with);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = seed % items.len();
            mutate(&mut items[at], seed / 7, with);
        }
        other => *other = with,
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_driver(bytes: Vec<u8>) {
        session().0.conduct.line(&bytes);
    }

    #[test]
    fn no_json_breaks_the_driver(kind in prop::sample::select(vec![
        "system", "assistant", "user", "result", "stream_event", "control_request", "control_response",
        "control_cancel_request", "command_lifecycle", "conversation_reset", "transcript_mirror", "other",
    ]), subtype in "init|status|task_started|success|[a-z]{3}", fields in prop::collection::btree_map("[a-z_]{1,12}", any_json(), 0..6)) {
        let mut line: Map<String, Value> = fields.into_iter().collect();
        line.insert("type".to_owned(), json!(kind));
        line.insert("subtype".to_owned(), json!(subtype));
        session().0.line(&Value::Object(line).to_string());
    }

    #[test]
    fn no_damage_to_a_real_line_breaks_the_driver(which: prop::sample::Index, seed: usize, with in any_json()) {
        let transcripts = transcripts();
        let lines: Vec<&str> = transcripts.iter().flat_map(|(_, lines)| lines).map(String::as_str).collect();
        let mut line: Value = serde_json::from_str(lines[which.index(lines.len())]).unwrap();
        mutate(&mut line, seed, with);
        let (mut session, turn) = session();
        session.line(&line.to_string());
        session.conduct.exited(&exit(), Ending::Died);
        let ends = outcomes(&session).into_iter().filter(|(of, _)| *of == Some(turn)).count();
        prop_assert_eq!(ends, 1);
    }
}
