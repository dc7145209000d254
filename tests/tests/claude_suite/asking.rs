//! Permission prompts and questions.

use agcluster_tests::system::{Provider, System};
use anyhow::{Context, ensure};
use serde_json::json;

use super::{KEY, asking_agent, of_kind, outputs, turn};

pub(crate) async fn a_permission_that_is_given_lets_the_tool_run(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(asking_agent(&["Bash"])).await?;
    let mut chat = session.chat("@@bash touch asked.txt && ls\n@@text done").await?;
    let asked = chat.until("permission_requested").await?.data["data"].clone();
    ensure!(asked["tool"] == "Bash" && asked["input"]["command"] == "touch asked.txt && ls", "{asked:#}");
    let answer =
        session.post("answer", json!({ "request_id": asked["request_id"], "decision": "allow" })).await?;
    ensure!(answer.status.is_success(), "{}", answer.body);
    let frames = chat.rest().await?;
    ensure!(outputs(&frames).contains("asked.txt"), "{frames:#?}");
    system.stop().await
}

pub(crate) async fn a_permission_that_is_denied_keeps_the_tool_from_running(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(asking_agent(&["Bash"])).await?;
    let mut chat = session.chat("@@bash touch denied.txt\n@@text done").await?;
    let asked = chat.until("permission_requested").await?.data["data"].clone();
    let decision =
        json!({ "request_id": asked["request_id"], "decision": "deny", "message": "Not in my house." });
    ensure!(session.post("answer", decision).await?.status.is_success());
    let frames = chat.rest().await?;
    let results = of_kind(&frames, "tool_complete");
    ensure!(results.len() == 1 && results[0]["is_error"] == true, "{frames:#?}");
    ensure!(outputs(&frames).contains("Not in my house."), "{frames:#?}");
    let frames = turn(&session, "@@bash ls").await?;
    ensure!(!outputs(&frames).contains("denied.txt"), "{frames:#?}");
    system.stop().await
}

pub(crate) async fn a_changed_input_is_what_runs(provider: Provider) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(asking_agent(&["Bash"])).await?;
    let mut chat = session.chat("@@bash touch theirs.txt && ls\n@@text done").await?;
    let asked = chat.until("permission_requested").await?.data["data"].clone();
    let decision = json!({
        "request_id": asked["request_id"], "decision": "allow",
        "input": { "command": "touch mine.txt && ls", "description": "mine" },
    });
    ensure!(session.post("answer", decision).await?.status.is_success());
    let output = outputs(&chat.rest().await?);
    ensure!(output.contains("mine.txt") && !output.contains("theirs.txt"), "{output}");
    system.stop().await
}

pub(crate) async fn a_question_is_asked_and_its_answer_reaches_the_agent(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let session = system.api(KEY).launch(asking_agent(&["Bash"])).await?;
    let questions = json!({ "questions": [{
        "question": "Which colour?", "header": "Colour", "multiSelect": false,
        "options": [{ "label": "Red", "description": "Warm" }, { "label": "Blue", "description": "Cold" }],
    }]});
    let mut chat = session.chat(&format!("@@tool AskUserQuestion {questions}\n@@text painted")).await?;
    let asked = chat.until("question_asked").await?.data["data"].clone();
    let question = asked["questions"][0]["question"].as_str().context("a question has a text")?;
    let answer =
        json!({ "request_id": asked["request_id"], "decision": "answers", "answers": { question: "Blue" } });
    ensure!(session.post("answer", answer).await?.status.is_success());
    let frames = chat.rest().await?;
    ensure!(outputs(&frames).contains("Blue"), "{frames:#?}");
    system.stop().await
}

/// By the list of all sessions, with another input than the model's; and what nobody answers is not allowed.
pub(crate) async fn an_approval_is_answered_from_the_list_or_expires(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let api = system.api(KEY);
    let session = api.launch(asking_agent(&["Bash"])).await?;
    let mut chat = session.chat("@@bash touch theirs.txt\n@@text done").await?;
    chat.until("permission_requested").await?;
    let list = api.get("/api/approvals").await?.body;
    let approval = &list["approvals"][0];
    ensure!(list["total"] == 1 && approval["input"]["command"] == "touch theirs.txt", "{list:#}");
    let path = format!("/api/approvals/{}", approval["id"].as_str().context("an approval has an id")?);
    let allow = json!({ "decision": "allow", "input": { "command": "touch ours.txt && ls" } });
    let allowed = api.post(&path, allow).await?;
    ensure!(allowed.body["status"] == "allowed", "{}", allowed.body);
    let frames = chat.rest().await?;
    ensure!(outputs(&frames).contains("ours.txt") && !outputs(&frames).contains("theirs.txt"), "{frames:#?}");

    let mut brief = asking_agent(&["Bash"]);
    brief["approvals"] = json!({ "timeout": 1 });
    let session = api.launch(brief).await?;
    let mut chat = session.chat("@@bash touch late.txt\n@@text done").await?;
    let asked = chat.until("permission_requested").await?.id.context("an event has a number")?;
    let frames = chat.rest().await?;
    ensure!(outputs(&frames).contains("Nobody answered within 1 s"), "{frames:#?}");
    let late =
        api.post(&format!("/api/approvals/{}.{asked}", session.id), json!({ "decision": "allow" })).await?;
    ensure!(late.status == 410 && late.code() == "approval_expired", "{}", late.body);
    system.stop().await
}

pub(crate) async fn an_approval_for_once_is_asked_again_and_one_for_the_session_is_not(
    provider: Provider,
) -> anyhow::Result<()> {
    let system = System::start(provider).await?;
    let api = system.api(KEY);
    let session = api.launch(asking_agent(&["Bash"])).await?;
    let mut chat = session.chat("@@bash touch same\n@@bash touch same\n@@text done").await?;
    for scope in ["once", "session"] {
        chat.until("permission_requested").await?;
        let list = api.get("/api/approvals").await?.body;
        ensure!(list["total"] == 1, "{list:#}");
        let id = list["approvals"][0]["id"].as_str().context("an approval has an id")?;
        let allow = json!({ "decision": "allow", "scope": scope });
        let allowed = api.post(&format!("/api/approvals/{id}"), allow).await?;
        ensure!(allowed.body["status"] == "allowed", "{}", allowed.body);
        chat.until("tool_complete").await?;
    }
    chat.rest().await?;
    let frames = turn(&session, "@@bash touch same\n@@text done").await?;
    ensure!(of_kind(&frames, "permission_requested").is_empty(), "{frames:#?}");
    ensure!(of_kind(&frames, "tool_complete").iter().all(|tool| tool["is_error"] == false), "{frames:#?}");
    system.stop().await
}
