//! The wire format of requests and answers that are newer than the first version, held against golden files.

#![allow(clippy::unwrap_used, reason = "a test that cannot build its sample has failed")]

use agcluster_protocol::*;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

fn turn() -> TurnId {
    TurnId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap())
}

fn liveness() -> Liveness {
    Liveness {
        instance: "i".into(),
        phase: Phase::Ready,
        generation: Some(2),
        session: Some("s".into()),
        configured: Some(Configured {
            agent: "claude 2".into(),
            conversation: Some("c".into()),
            last_seq: 7,
        }),
        turn: Some(TurnLiveness { id: turn(), age_ms: 10, silent_ms: 5 }),
        program: Some(ProgramLiveness {
            running: true,
            silent_ms: 4,
            deaths: 1,
            problem: Some("it ended too often".into()),
        }),
        model: Some(ModelLiveness { open_requests: 1, silent_ms: 3 }),
        tools: vec![ToolLiveness { call_id: "toolu_1".into(), name: "Bash".into(), running_ms: 2 }],
        asked: vec!["r1".into()],
        events: EventsLiveness { newest: 7, acknowledged: 3, held_back: false },
    }
}

fn steer() -> Steer {
    Steer {
        id: PromptId("01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap()),
        turn: turn(),
        generation: 2,
        prompt: vec![PromptBlock::text("and in blue")],
    }
}

fn configure() -> Configure {
    Configure {
        session: "s".into(),
        generation: 2,
        driver: DriverKind::Claude,
        options: AgentOptions::default(),
        model_access: None,
        resume: Some("c".into()),
        transcript: vec![TranscriptFile {
            path: ".claude/projects/-workspace/c.jsonl".into(),
            entries: vec![json!({"type": "user"})],
        }],
        files: std::collections::BTreeMap::from([("docs/a.md".into(), "# A".into())]),
        acknowledges: true,
    }
}

#[test]
fn requests_and_answers_keep_their_wire_format() {
    let all = json!({
        "configure": configure(),
        "steer": steer(),
        "interrupt": Interrupt { turn: Some(turn()) },
        "ack": Ack { generation: 2, seq: 7 },
        "restart_program": RestartProgram { generation: 2 },
        "liveness": liveness(),
    });
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, sort_maps => true}, {
        insta::assert_json_snapshot!("wire", all);
    });
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let back: T = serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap();
    assert_eq!(back, *value);
}

#[test]
fn everything_comes_back_as_it_went() {
    comes_back(&configure());
    comes_back(&steer());
    comes_back(&Interrupt { turn: Some(turn()) });
    comes_back(&Ack { generation: 2, seq: u64::MAX });
    comes_back(&RestartProgram { generation: 2 });
    comes_back(&liveness());
}

#[test]
fn what_an_older_side_does_not_say_has_a_default() {
    let configure: Configure =
        serde_json::from_value(json!({"session": "s", "generation": 1, "driver": "scripted"})).unwrap();
    assert_eq!((configure.transcript.len(), configure.acknowledges), (0, false));
    let wire = serde_json::to_value(&configure).unwrap();
    assert!(wire.get("transcript").is_none() && wire.get("acknowledges").is_none());
    assert_eq!(serde_json::from_str::<Interrupt>("{}").unwrap(), Interrupt { turn: None });
    let liveness: Liveness =
        serde_json::from_value(json!({"instance": "i", "phase": "unconfigured", "hologram": 1})).unwrap();
    assert_eq!((liveness.turn, liveness.events), (None, EventsLiveness::default()));
}

proptest! {
    #[test]
    fn any_transcript_comes_back(path in ".{0,40}", lines in prop::collection::vec(".{0,40}", 0..5)) {
        let entries = lines.into_iter().map(|line| json!({"line": line, "nested": [1, null, {"a": 0.5}]})).collect();
        comes_back(&TranscriptFile { path, entries });
    }

    #[test]
    fn no_bytes_break_a_reader(text in "[\\[\\]{}\":,a-z0-9]{0,60}") {
        let _ = serde_json::from_str::<Steer>(&text);
        let _ = serde_json::from_str::<Liveness>(&text);
        let _ = serde_json::from_str::<Configure>(&text);
        let _ = serde_json::from_str::<Ack>(&text);
    }

    #[test]
    fn a_reader_minds_what_is_missing(left_out in 0..4_usize) {
        let mut wire = serde_json::to_value(steer()).unwrap();
        let name = ["id", "turn", "generation", "prompt"][left_out];
        wire.as_object_mut().unwrap().remove(name);
        prop_assert!(serde_json::from_value::<Steer>(wire).is_err());
    }
}
