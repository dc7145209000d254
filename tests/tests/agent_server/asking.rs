//! Permissions, questions, plans, modes.

use agcluster_protocol::event::Resolution;
use agcluster_protocol::{Event, EventBody, Outcome, PermissionMode};
use anyhow::ensure;
use serde_json::{Value, json};

use crate::harness::{Agent, Turn};

async fn permission(turn: &mut Turn) -> anyhow::Result<String> {
    let asked = |event: &Event| match &event.body {
        EventBody::PermissionRequested(request) => Some(request.request_id.clone()),
        _ => None,
    };
    turn.until("the request for leave", asked).await
}

fn resolutions(events: &[Event]) -> Vec<Resolution> {
    let resolution = |event: &Event| match event.body {
        EventBody::RequestResolved { resolution, .. } => Some(resolution),
        _ => None,
    };
    events.iter().filter_map(resolution).collect()
}

#[tokio::test]
async fn in_the_default_mode_leave_is_asked_given_and_denied() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({"permission_mode": "default"})).await?;

    let mut turn = agent.prompt("@@bash touch allowed\n@@text Done.").await?;
    let request_id = permission(&mut turn).await?;
    ensure!(!agent.workspace().join("allowed").exists(), "it ran unasked");
    agent.answer(json!({"request_id": request_id, "decision": "allow"})).await?;
    let events = turn.rest().await?;
    ensure!(resolutions(&events) == [Resolution::Allowed], "{:?}", resolutions(&events));
    ensure!(agent.workspace().join("allowed").exists(), "it did not run");

    let mut turn = agent.prompt("@@bash touch denied\n@@text Then not.").await?;
    let request_id = permission(&mut turn).await?;
    agent.answer(json!({"request_id": request_id, "decision": "deny", "message": "Not that file."})).await?;
    let events = turn.rest().await?;
    let told = events.iter().any(|event| match &event.body {
        EventBody::ToolResult { content, is_error: true, .. } => content == "Not that file.",
        _ => false,
    });
    ensure!(told && !agent.workspace().join("denied").exists(), "{events:?}");

    let mut turn = agent.prompt("@@bash touch changed\n@@text Done.").await?;
    let request_id = permission(&mut turn).await?;
    let input = json!({"command": "touch instead"});
    agent.answer(json!({"request_id": request_id, "decision": "allow", "input": input})).await?;
    turn.rest().await?;
    ensure!(
        agent.workspace().join("instead").exists() && !agent.workspace().join("changed").exists(),
        "not changed"
    );

    let mut turn = agent.prompt("@@bash touch stopped\n@@text Never.").await?;
    let request_id = permission(&mut turn).await?;
    agent
        .answer(json!({"request_id": request_id, "decision": "deny", "message": "Stop.", "interrupt": true}))
        .await?;
    ensure!(turn.end().await? == Outcome::Interrupted, "not interrupted");

    let mut turn = agent.prompt("@@bash touch withdrawn\n@@text Never.").await?;
    let request_id = permission(&mut turn).await?;
    agent.interrupt().await?;
    let events = turn.rest().await?;
    ensure!(resolutions(&events) == [Resolution::Withdrawn], "{:?}", resolutions(&events));
    let late = agent.answer(json!({"request_id": request_id, "decision": "allow"})).await;
    ensure!(
        late.is_err_and(|error| error.to_string().contains("unknown_request")),
        "a late answer was taken"
    );
    agent.stop().await
}

#[tokio::test]
async fn leave_for_the_session_is_not_asked_again() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({"permission_mode": "default"})).await?;
    let mut turn = agent.prompt("@@bash touch same\n@@bash touch same\n@@text Done.").await?;
    let request_id = permission(&mut turn).await?;
    agent.answer(json!({"request_id": request_id, "decision": "allow", "scope": "session"})).await?;
    let events = turn.rest().await?;
    ensure!(resolutions(&events).len() == 1, "it was asked again");
    agent.stop().await
}

#[tokio::test]
async fn a_question_is_answered() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({})).await?;
    let question = json!({"questions": [{"question": "Which colour?", "header": "Colour", "multiSelect": false,
        "options": [{"label": "Red", "description": "Warm"}, {"label": "Blue", "description": "Cold"}]}]});
    let mut turn = agent.prompt(&format!("@@tool AskUserQuestion {question}\n@@text Thank you.")).await?;
    let asked = |event: &Event| match &event.body {
        EventBody::QuestionAsked { request_id, questions, .. } => {
            Some((request_id.clone(), questions.clone()))
        }
        _ => None,
    };
    let (request_id, questions) = turn.until("the question", asked).await?;
    ensure!(questions.len() == 1 && questions[0].options[1].label == "Blue", "{questions:?}");
    let allow = agent.answer(json!({"request_id": request_id, "decision": "allow"})).await;
    ensure!(
        allow.is_err_and(|error| error.to_string().contains("invalid_request")),
        "no answer was taken for one"
    );
    agent
        .answer(
            json!({"request_id": request_id, "decision": "answers", "answers": {"Which colour?": "Blue"}}),
        )
        .await?;
    let events = turn.rest().await?;
    let told = events.iter().any(|event| match &event.body {
        EventBody::ToolResult { content, .. } => content.to_string().contains("Blue"),
        _ => false,
    });
    ensure!(told, "{events:?}");
    agent.stop().await
}

#[tokio::test]
async fn a_plan_is_offered_and_accepted() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({"permission_mode": "plan"})).await?;
    let plan = json!({"plan": "1. Write hello.py"});
    let mut turn =
        agent.prompt(&format!("@@tool ExitPlanMode {plan}\n@@bash touch planned\n@@text Done.")).await?;
    let offered = |event: &Event| match &event.body {
        EventBody::Plan { plan, .. } => Some(plan.clone()),
        _ => None,
    };
    ensure!(turn.until("the plan", offered).await? == "1. Write hello.py", "another plan");
    let request_id = permission(&mut turn).await?;
    agent.answer(json!({"request_id": request_id, "decision": "allow", "scope": "session"})).await?;
    let events = turn.rest().await?;
    let changed = events
        .iter()
        .any(|event| matches!(event.body, EventBody::ModeChanged { mode: PermissionMode::AcceptEdits }));
    ensure!(changed && agent.workspace().join("planned").exists(), "{events:?}");
    agent.stop().await
}

#[tokio::test]
async fn mode_and_model_change_between_turns() -> anyhow::Result<()> {
    let agent = Agent::start().await?;
    agent.configure(json!({"permission_mode": "acceptEdits"})).await?;
    // Allowed tools run without asking, also what the program holds to be risky.
    let risky = "@@bash curl --silent http://127.0.0.1:1/ ; true\n@@text Done.";
    let events = agent.turn(risky).await?;
    ensure!(resolutions(&events).is_empty(), "it was asked");
    agent.settings(json!({"permission_mode": "default", "model": "claude-haiku-4-5"})).await?;
    let mut turn = agent.prompt(risky).await?;
    let request_id = permission(&mut turn).await?;
    agent.answer(json!({"request_id": request_id, "decision": "allow"})).await?;
    turn.rest().await?;
    let last = agent.model.requests().into_iter().rev().find(|request| request.is_messages());
    let model = last.map(|request| request.json()["model"].clone()).unwrap_or(Value::Null);
    ensure!(model == "claude-haiku-4-5", "{model}");
    let refused = agent.settings(json!({"permission_mode": "bypassPermissions"})).await;
    ensure!(refused.is_err_and(|error| error.to_string().contains("agent_refused")), "bypass was taken");
    agent.stop().await
}
