//! Which decisions fit which requests, and what is said of them.

use serde_json::json;

use super::*;

fn allow(input: Option<serde_json::Value>) -> Decision {
    Decision::Allow { input, scope: agcluster_protocol::Scope::Once }
}

#[test]
fn a_question_is_answered_and_a_tool_is_allowed_and_both_can_be_denied() {
    let answers = Decision::Answers { answers: std::collections::BTreeMap::default() };
    let deny = Decision::Deny { message: String::new(), interrupt: false };
    for (kind, fits, does_not) in [
        (ApprovalKind::Tool, allow(None), answers.clone()),
        (ApprovalKind::Plan, allow(None), answers.clone()),
        (ApprovalKind::Question, answers, allow(None)),
    ] {
        assert!(kind.check(&fits).is_ok() && kind.check(&deny).is_ok(), "{kind:?}");
        assert!(kind.check(&does_not).is_err(), "{kind:?}");
    }
    assert!(ApprovalKind::Tool.check(&allow(Some(json!({ "command": "ls" })))).is_ok());
    assert!(ApprovalKind::Tool.check(&allow(Some(json!("ls")))).is_err());
}

#[test]
fn how_a_request_was_decided_is_said_in_words() {
    let answer = |by, decision| RequestAnswer { request_id: "r".into(), by, reason: None, decision };
    let said = how(&answer(AnsweredBy::Owner, allow(Some(json!({})))));
    assert_eq!(said, "allowed once with another input by its owner");
    let denied = answer(AnsweredBy::Timeout, Decision::Deny { message: "late".into(), interrupt: false });
    assert_eq!(how(&denied), "denied because nobody answered in time");
    assert_eq!(action(&denied), "approval.expired");
}
