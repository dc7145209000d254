//! The wire format of every event, held against golden files.

#![allow(clippy::unwrap_used, reason = "a test that cannot build its sample has failed")]

use agcluster_protocol::event::*;
use agcluster_protocol::*;
use serde_json::{Map, Value, json};

/// Every variant once, with every optional field present.
fn all() -> Vec<EventBody> {
    let usage = Usage { input_tokens: 10, output_tokens: 20, cache_read_tokens: 30, cache_write_tokens: 40 };
    let task = Task {
        task_id: "t1".into(),
        call_id: Some("toolu_1".into()),
        kind: Some("local_agent".into()),
        subagent: Some("frontend".into()),
        description: Some("builds the page".into()),
    };
    vec![
        EventBody::TurnStarted {
            origin: TurnOrigin::Client,
            prompt: vec![
                PromptBlock::text("hello"),
                PromptBlock::Image { media_type: "image/png".into(), data: "aGk=".into() },
                PromptBlock::Document {
                    media_type: "application/pdf".into(),
                    data: "aGk=".into(),
                    title: Some("a.pdf".into()),
                },
            ],
        },
        EventBody::PromptAdded {
            id: PromptId("01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap()),
            prompt: vec![PromptBlock::text("and in blue")],
        },
        EventBody::AgentReady {
            conversation: "c".into(),
            model: Some("m".into()),
            permission_mode: Some("acceptEdits".into()),
            tools: vec!["Bash".into()],
            mcp_servers: vec![McpServerStatus { name: "github".into(), status: "connected".into() }],
        },
        EventBody::MessageStarted { message_id: "msg_1".into(), model: Some("m".into()), usage },
        EventBody::TextDelta { block: 0, text: "hel".into() },
        EventBody::ThinkingDelta { block: 0, text: "hm".into() },
        EventBody::ToolCallStarted { block: 1, call_id: "toolu_1".into(), name: "Bash".into() },
        EventBody::ToolInputDelta { block: 1, call_id: "toolu_1".into(), json: "{\"com".into() },
        EventBody::MessageEnded { stop_reason: Some("tool_use".into()), usage },
        EventBody::Text { message_id: Some("msg_1".into()), text: "hello".into() },
        EventBody::Thinking {
            message_id: Some("msg_1".into()),
            text: "hm".into(),
            signature: Some("s".into()),
        },
        EventBody::ToolCall {
            message_id: Some("msg_1".into()),
            call_id: "toolu_1".into(),
            name: "Bash".into(),
            input: json!({"command": "ls"}),
        },
        EventBody::Block {
            message_id: Some("msg_1".into()),
            block: json!({"type": "redacted_thinking", "data": "x"}),
        },
        EventBody::ToolResult {
            call_id: "toolu_1".into(),
            is_error: false,
            content: json!("file"),
            structured: Some(json!({"stdout": "file"})),
        },
        EventBody::Note { content: json!("[Request interrupted by user]") },
        EventBody::Todo {
            items: vec![TodoItem {
                content: "Write".into(),
                status: TodoStatus::InProgress,
                active_form: Some("Writing".into()),
            }],
        },
        EventBody::Plan { call_id: "toolu_2".into(), plan: "1. do".into() },
        EventBody::TaskStarted(task.clone()),
        EventBody::TaskProgress(task),
        EventBody::TaskEnded(TaskEnd {
            task_id: "t1".into(),
            call_id: Some("toolu_1".into()),
            status: "completed".into(),
            summary: Some("done".into()),
            usage: Some(json!({"total_tokens": 5})),
        }),
        EventBody::BackgroundTasks { tasks: vec![json!({"task_id": "t1"})] },
        EventBody::PermissionRequested(PermissionRequest {
            request_id: "r1".into(),
            call_id: Some("toolu_1".into()),
            kind: PermissionKind::Plan,
            tool: "Bash".into(),
            display_name: Some("Bash".into()),
            input: json!({"command": "touch x"}),
            reason: Some("outside".into()),
            blocked_path: Some("/etc".into()),
            suggestions: vec![json!({"type": "addRules"})],
        }),
        EventBody::QuestionAsked {
            request_id: "r2".into(),
            call_id: Some("toolu_3".into()),
            questions: vec![Question {
                question: "Which?".into(),
                header: Some("Choice".into()),
                options: vec![QuestionOption { label: "A".into(), description: Some("first".into()) }],
                multi_select: false,
            }],
        },
        EventBody::RequestAnswered(RequestAnswer {
            request_id: "r1".into(),
            by: AnsweredBy::Owner,
            reason: Some("it is safe".into()),
            decision: Decision::Allow { input: Some(json!({"command": "ls"})), scope: Scope::Session },
        }),
        EventBody::RequestResolved { request_id: "r1".into(), resolution: Resolution::Allowed },
        EventBody::PermissionDenied {
            tool: "Bash".into(),
            call_id: Some("toolu_1".into()),
            message: Some("no".into()),
        },
        EventBody::Retry {
            attempt: 1,
            max_attempts: 3,
            delay_ms: 500,
            status: Some(529),
            reason: Some("overloaded".into()),
        },
        EventBody::Status { status: Some("requesting".into()) },
        EventBody::ModeChanged { mode: PermissionMode::Plan },
        EventBody::ModelChanged { model: "m2".into() },
        EventBody::Compacted { trigger: Some("manual".into()), tokens_before: Some(1000) },
        EventBody::ConversationChanged { conversation: "c2".into() },
        EventBody::Transcript { path: "a.jsonl".into(), entries: vec![json!({"type": "user"})] },
        EventBody::AgentExited { code: Some(1), signal: Some(9), stderr: "boom".into() },
        EventBody::SessionChanged { status: "failed".into(), reason: Some("its container is gone".into()) },
        EventBody::Notice { level: NoticeLevel::Warning, message: "storage is not limited".into() },
        EventBody::Vendor { source: "claude".into(), payload: json!({"type": "new_thing"}) },
        EventBody::TurnStuck {
            on: StuckOn::Model,
            silent_seconds: 300,
            detail: "the model API has sent nothing for 300 s".into(),
        },
        EventBody::TurnEnded(TurnEnd {
            outcome: Outcome::Failed {
                reason: FailureReason::ModelApi,
                message: "the model API said 500".into(),
            },
            result: Some("partial".into()),
            structured_output: Some(json!({"a": 1})),
            usage,
            models: [(
                "m".to_owned(),
                ModelUsage { usage, cost_usd: Some(0.5), context_window: Some(200_000) },
            )]
            .into(),
            cost_usd: Some(0.5),
            duration_ms: 1200,
            model_calls: 2,
        }),
        EventBody::TurnEnded(TurnEnd::bare(Outcome::Completed)),
        EventBody::TurnEnded(TurnEnd::bare(Outcome::Interrupted)),
        EventBody::TurnEnded(TurnEnd::bare(Outcome::Limit { which: Limit::MaxTurns })),
    ]
}

fn enveloped(seq: u64, body: EventBody) -> Event {
    Event {
        seq,
        generation: 1,
        at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        turn: Some(TurnId("01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap())),
        parent: Some("toolu_0".into()),
        extra: [("uuid".to_owned(), json!("u1"))].into_iter().collect(),
        body,
    }
}

#[test]
fn every_event_keeps_its_wire_format() {
    let lines: Vec<Value> = all()
        .into_iter()
        .enumerate()
        .map(|(n, body)| serde_json::to_value(enveloped(n as u64 + 1, body)).unwrap())
        .collect();
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, sort_maps => true}, {
        insta::assert_json_snapshot!("events", lines);
    });
}

#[test]
fn every_event_is_called_as_on_the_wire() {
    for body in all() {
        assert_eq!(serde_json::to_value(&body).unwrap()["type"], body.kind());
    }
    assert_eq!(EventBody::Unknown(Map::from_iter([("type".to_owned(), json!("x"))])).kind(), "unknown");
}

#[test]
fn every_event_comes_back_as_it_went() {
    for (n, body) in all().into_iter().enumerate() {
        let event = enveloped(n as u64 + 1, body);
        let back: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert!(!matches!(back.body, EventBody::Unknown(_)), "{event:?} was not recognised");
        assert_eq!(back, event);
    }
}

#[test]
fn an_event_of_a_newer_vocabulary_is_kept_as_it_came() {
    let wire = json!({
        "seq": 1, "generation": 1, "at": "2026-01-02T03:04:05.678Z",
        "type": "hologram_rendered", "frames": [1, 2, 3], "nested": {"deep": true},
    });
    let event: Event = serde_json::from_value(wire.clone()).unwrap();
    let expected: Map<String, Value> =
        json!({"type": "hologram_rendered", "frames": [1, 2, 3], "nested": {"deep": true}})
            .as_object()
            .unwrap()
            .clone();
    assert_eq!(event.body, EventBody::Unknown(expected));
    assert_eq!(serde_json::to_value(&event).unwrap(), wire);
}

#[test]
fn a_number_of_a_newer_vocabulary_keeps_its_last_digit() {
    let number = 80_222_222_222_222_222_222_222_222_222_222_222_222_222_222_222_f64;
    let wire = r#"{"seq":1,"generation":1,"at":"2026-01-02T03:04:05.678Z","type":"counted","number":80222222222222222222222222222222222222222222222}"#;
    let event: Event = serde_json::from_str(wire).unwrap();
    assert_eq!(serde_json::to_value(&event).unwrap()["number"], number);
    let again: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
    assert_eq!(again, event);
}

#[test]
fn a_failure_reason_of_a_newer_vocabulary_is_other() {
    let end: TurnEnd = serde_json::from_value(
        json!({"outcome": "failed", "reason": "solar_flare", "message": "x", "usage": {}}),
    )
    .unwrap();
    assert!(matches!(end.outcome, Outcome::Failed { reason: FailureReason::Other, .. }));
}
