//! What is asked: every operation, so that it has something to tell.

use agcluster_tests::system::{Screen, Session};
use serde_json::{Value, json};

use super::held::Held;

const UUID: &str = "0b5e3a9c-6f0e-4d55-9f3a-2b1c4d5e6f70";
const SAID: &str =
    "@@think hm\n@@tool Bash {\"command\":\"ls\"} => a\n@@todo x; y\n@@subagent helper looks\n@@say hello";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Asks everything.
pub(super) async fn all(held: &mut Held<'_>, repository: &str) {
    about_the_server(held).await;
    configurations(held).await;
    let made = json!({ "sessionId": UUID, "agent": "scripted" });
    held.json("POST /sessions", &[], Some(made)).await;
    let id = format!("conv-{UUID}");
    let session = held.session(&id);
    chats(held, &session).await;
    approvals(held, &session).await;
    files(held, &id).await;
    git(held, &id, repository).await;
    container(held, &session).await;
    models(held).await;
    agent_server(held).await;
    sessions(held).await;
}

async fn about_the_server(held: &mut Held<'_>) {
    for path in ["/", "/health", "/ready", "/openapi.json", "/api/providers", "/api/configs/schema"] {
        held.json(&format!("GET {path}"), &[], None).await;
    }
}

async fn configurations(held: &mut Held<'_>) {
    let config = |id: &str| json!({ "id": id, "name": "Mine", "allowed_tools": ["Bash"], "max_turns": 3 });
    held.json("POST /api/configs", &[], Some(config("mine"))).await;
    held.json("POST /api/configs/custom", &[], Some(config("other"))).await;
    held.json("POST /api/configs/validate", &[], Some(config("mine"))).await;
    held.json("POST /api/configs/validate", &[], Some(json!({ "id": "x", "max_turns": "many" }))).await;
    held.json("PUT /api/configs/{id}", &["mine"], Some(config("mine"))).await;
    for path in ["/api/configs", "/api/configs/", "/api/configs/custom/list"] {
        held.json(&format!("GET {path}"), &[], None).await;
    }
    for id in ["mine", "code-assistant", "fullstack-team", "github-code-review"] {
        held.json("GET /api/configs/{id}", &[id], None).await;
    }
    held.json("DELETE /api/configs/{id}", &["mine"], None).await;
    held.json("DELETE /api/configs/custom/{id}", &["other"], None).await;
}

async fn chats(held: &mut Held<'_>, session: &Session) {
    let id = session.id.as_str();
    let message = |text: &str| json!({ "message": text });
    let chat = "POST /api/agents/{id}/chat";
    held.stream(chat, &[id], Some(message(SAID))).await;
    held.stream(chat, &[id], Some(message("@@say x\n@@fail model_api on fire"))).await;
    held.stream(chat, &[id], Some(message("@@say x\n@@limit max_turns"))).await;
    held.json(chat, &[id], Some(message(SAID))).await;
    let later = |text: &str| json!({ "message": text, "background": true });
    let job = held.json(chat, &[id], Some(later("@@say in time"))).await;
    let job = text(&job["job_id"]);
    held.stream("GET /api/jobs/{id}/stream", &[job], None).await;
    held.stream("GET /api/jobs/{id}/stream?format=chat", &[job], None).await;
    held.json("GET /api/jobs/{id}", &[job], None).await;
    let hanging = held.json(chat, &[id], Some(later("@@say begun\n@@hang"))).await;
    held.some("GET /api/jobs/{id}/stream", &[text(&hanging["job_id"])], 4).await;
    held.json("GET /api/jobs/{id}", &[text(&hanging["job_id"])], None).await;
    held.json("POST /api/jobs/{id}/cancel", &[text(&hanging["job_id"])], None).await;
    held.stream("GET /api/jobs/{id}/stream", &[text(&hanging["job_id"])], None).await;
    held.json("GET /api/jobs", &[], None).await;

    let earlier = |text: &str| json!({ "sessionId": id, "messages": [{ "role": "user", "content": text }] });
    held.stream("POST /api/agents/chat", &[], Some(earlier(SAID))).await;
    held.json("POST /api/agents/chat", &[], Some(earlier(SAID))).await;
    let mut background = earlier("@@say x\n@@hang");
    background["background"] = true.into();
    let job = held.json("POST /api/agents/chat", &[], Some(background)).await;
    held.some("GET /api/jobs/{id}/stream", &[text(&job["job_id"])], 4).await;
    held.json("POST /api/agents/sessions/{id}/interrupt", &[id], None).await;
    held.stream("GET /api/jobs/{id}/stream", &[text(&job["job_id"])], None).await;
    held.some("GET /api/agents/{id}/events?after=0", &[id], 60).await;
    held.json("GET /api/agents/{id}/messages", &[id], None).await;
    held.lines("GET /api/agents/{id}/export", &[id]).await;
}

async fn approvals(held: &mut Held<'_>, session: &Session) {
    let id = session.id.as_str();
    let mut asking = session.chat("@@permission Bash {\"command\": \"touch x\"}\n@@say done").await.unwrap();
    asking.until("permission_requested").await.unwrap();
    let list = held.json("GET /api/approvals", &[], None).await;
    let approval = text(&list["approvals"][0]["id"]).to_owned();
    held.json("GET /api/approvals/{id}", &[&approval], None).await;
    let allow = json!({ "decision": "allow", "input": { "command": "touch y" }, "scope": "session", "reason": "it is free" });
    held.json("POST /api/approvals/{id}", &[&approval], Some(allow)).await;
    asking.rest().await.unwrap();
    let mut plan = session
        .chat("@@permission ExitPlanMode {\"plan\": \"1. build\"}\n@@ask Which? | A | B")
        .await
        .unwrap();
    let asked = plan.until("permission_requested").await.unwrap().data["data"].clone();
    held.json("GET /api/approvals", &[], None).await;
    let deny = json!({ "request_id": asked["request_id"], "decision": "deny", "message": "no" });
    held.json("POST /api/agents/sessions/{id}/answer", &[id], Some(deny)).await;
    plan.until("question_asked").await.unwrap();
    let list = held.json("GET /api/approvals", &[], None).await;
    let question = text(&list["approvals"][0]["id"]);
    let answers = json!({ "decision": "answers", "answers": { "Which?": "A" } });
    held.json("POST /api/approvals/{id}", &[question], Some(answers)).await;
    plan.rest().await.unwrap();
    let mut left = session.chat("@@ask Whether? | A").await.unwrap();
    left.until("question_asked").await.unwrap();
    session.post("interrupt", json!({})).await.unwrap();
    left.rest().await.unwrap();
    // Asked and allowed, denied, answered, withdrawn.
    let news = held.some("GET /api/approvals/stream?after=0", &[], 8).await;
    assert!(news.iter().all(|news| news["type"] != "stream_error"), "{news:#?}");
    let settings = json!({ "permission_mode": "acceptEdits" });
    held.json("POST /api/agents/sessions/{id}/settings", &[id], Some(settings)).await;
}

async fn files(held: &mut Held<'_>, id: &str) {
    let put = "PUT /api/files/{id}/{path}";
    held.json(put, &[id, "new.txt"], Some(json!("text"))).await;
    held.json(&format!("{put}?overwrite=true"), &[id, "new.txt"], Some(json!("another"))).await;
    for _ in 0..2 {
        let folder = json!({ "path": "folder", "parents": true });
        held.json("POST /api/files/{id}/mkdir", &[id], Some(folder)).await;
    }
    let names = json!({ "from": "new.txt", "to": "folder/named.txt" });
    held.json("POST /api/files/{id}/rename", &[id], Some(names)).await;
    for (accept, name) in
        [("application/json", "a"), ("application/x-ndjson", "b"), ("text/event-stream", "changes")]
    {
        held.upload("POST /api/files/{id}/upload", &[id], accept, name).await;
    }
    held.json("GET /api/files/{id}", &[id], None).await;
    held.json("GET /api/files/{id}/{path}", &[id, "folder/named.txt"], None).await;
    held.json("GET /api/files/{id}/changes", &[id], None).await;
    held.json("DELETE /api/files/{id}/{path}", &[id, "changes"], None).await;
    held.upload("POST /api/files/{id}/upload", &[id], "application/json", "download").await;
    held.json("GET /api/files/{id}/download", &[id], None).await;
    let exec = held.api().request(reqwest::Method::POST, &format!("/api/agents/{id}/exec"));
    let keeps_changing = ["sh", "-c", "while sleep 0.2; do date > folder/$$; done"];
    let changing = tokio::spawn(exec.json(&json!({ "command": keeps_changing })).send());
    held.some("GET /api/files/{id}/changes", &[id], 2).await;
    // Its command ends with it.
    changing.abort();
}

async fn git(held: &mut Held<'_>, id: &str, repository: &str) {
    let tell = |name: &str| format!("POST /api/agents/{{id}}/git/{name}");
    let (ask, path) = (|name: &str| format!("GET /api/agents/{{id}}/git/{name}"), "r");
    held.json(&tell("clone"), &[id], Some(json!({ "url": repository, "path": path }))).await;
    let make = json!({ "path": path, "action": "create", "name": "feature", "switch": true });
    held.json(&tell("branch"), &[id], Some(make)).await;
    let script = "cd r; git config user.name N; git config user.email n@x; printf 'one\\ntwo\\n' > new.txt; git add new.txt; \
                  git commit -qm 'first of ours'; echo three >> new.txt; echo four > untracked; echo five > staged; git add staged; mv new.txt moved; cp moved new.txt";
    let run = json!({ "command": ["sh", "-ec", script] });
    let end = held.json("POST /api/agents/{id}/exec", &[id], Some(run)).await;
    assert_eq!(end["exit_code"], 0, "{end}");
    held.json(&ask("repositories"), &[id], None).await;
    let status = held.json(&ask("status?path=r"), &[id], None).await;
    assert_eq!(status["branch"], "feature", "{status}");
    for query in ["path=r", "path=r&staged=true&context=0", "path=r&base=HEAD~1&head=HEAD"] {
        let diff = held.json(&ask(&format!("diff?{query}")), &[id], None).await;
        assert_ne!(diff["files"], json!([]), "{query}");
    }
    held.json(&ask("log?path=r"), &[id], None).await;
    held.json(&ask("branches?path=r"), &[id], None).await;
    let commit = json!({ "path": path, "message": "all of it", "all": true });
    held.json(&tell("commit"), &[id], Some(commit)).await;
    let credentials = json!({ "username": "ada", "token": super::TOKEN });
    let push = json!({ "path": path, "url": repository, "credentials": credentials });
    held.json(&tell("push"), &[id], Some(push)).await;
    let main = json!({ "path": path, "action": "switch", "name": "main" });
    held.json(&tell("branch"), &[id], Some(main)).await;
    for name in ["fetch", "pull"] {
        held.json(&tell(name), &[id], Some(json!({ "path": path }))).await;
    }
}

async fn container(held: &mut Held<'_>, session: &Session) {
    let id = session.id.as_str();
    let command = json!({ "command": ["sh", "-c", "echo out; echo err >&2; kill -9 $$"] });
    let events = held.stream("POST /api/agents/{id}/exec", &[id], Some(command)).await;
    assert!(events.len() > 2, "{events:?}");
    held.json("GET /api/agents/{id}/env/{names}", &[id, "HOME,MISSING"], None).await;
    assert!(!held.stream("GET /api/agents/{id}/logs", &[id], None).await.is_empty());
    held.json("GET /api/resources/{id}", &[id], None).await;
    held.some("GET /api/resources/{id}", &[id], 1).await;
    held.some("GET /api/resources/{id}/stream?interval=1", &[id], 2).await;
    held.json("POST /api/agents/{id}/terminal/token", &[id], None).await;
    let mut screen = Screen::open(held.api(), session, "main").await.unwrap();
    screen.frame("info").await.unwrap();
    held.json("GET /api/agents/{id}/terminals", &[id], None).await;
    screen.write("exit\r").await.unwrap();
    screen.frame("close").await.unwrap();
    held.json("GET /api/agents/{id}/terminals", &[id], None).await;
    held.some("GET /api/tools/{id}/stream?after=0", &[id], 3).await;
}

async fn models(held: &mut Held<'_>) {
    let asked = |mut more: Value, field: &str| {
        more["model"] = "scripted".into();
        more["max_tokens"] = 100.into();
        more[field] = json!([{ "role": "user", "content": SAID }]);
        Some(more)
    };
    let streams = || json!({ "stream": true, "stream_options": { "include_usage": true } });
    for (path, field) in [
        ("/v1/chat/completions", "messages"),
        ("/chat/completions", "messages"),
        ("/v1/messages", "messages"),
        ("/v1/responses", "input"),
    ] {
        let request = format!("POST {path}");
        held.json(&request, &[], asked(json!({ "user": "u" }), field)).await;
        held.stream(&request, &[], asked(streams(), field)).await;
        let mut failing = asked(streams(), field).unwrap();
        failing[field][0]["content"] = "@@say x\n@@fail model_api on fire".into();
        held.stream(&request, &[], Some(failing)).await;
    }
    let background = json!({ "background": true, "metadata": { "a": "b" } });
    let mut background = asked(background, "input").unwrap();
    background["input"] = "@@say x\n@@hang".into();
    let response = held.json("POST /v1/responses", &[], Some(background)).await;
    let id = text(&response["id"]);
    held.json("GET /v1/responses/{id}", &[id], None).await;
    held.some("GET /v1/responses/{id}?stream=true", &[id], 3).await;
    held.json("POST /v1/responses/{id}/cancel", &[id], None).await;
    held.stream("GET /v1/responses/{id}?stream=true", &[id], None).await;
    held.json("GET /v1/responses/{id}", &[id], None).await;
    held.json("GET /v1/models", &[], None).await;
    held.json("GET /v1/models/{config}", &["scripted"], None).await;
    held.json("GET /v1/models/{config}/{model}", &["code-assistant", "claude-opus-4-5"], None).await;
}

async fn agent_server(held: &mut Held<'_>) {
    let prompt = |text: &str, background: bool| {
        Some(json!({ "prompt": text, "session_id": UUID, "background": background }))
    };
    held.stream("POST /generate/v2", &[], prompt(SAID, false)).await;
    let job = held.json("POST /generate/v2", &[], prompt("@@say x\n@@hang", true)).await;
    let task = text(&job["taskId"]);
    held.some("GET /generate/v2/jobs/{id}/stream", &[task], 2).await;
    held.json("GET /generate/v2/jobs/{id}", &[task], None).await;
    held.json("DELETE /generate/{id}/stop", &[UUID], None).await;
    held.stream("GET /generate/v2/jobs/{id}/stream", &[task], None).await;
    held.json("GET /generate/v2/jobs/{id}", &[task], None).await;
    held.json("GET /sessions", &[], None).await;
    held.json("GET /sessions/{id}/messages", &[UUID], None).await;
    held.json("PUT /sessions/{id}", &[UUID], Some(json!({ "name": "Mine" }))).await;
    let of = format!("session_id={UUID}");
    for request in [
        "/sessions/filesystem/files?",
        "/sessions/filesystem/search?path=named&",
        "/git/repositories?",
        "/git/diff?path=r&base=HEAD~1&",
    ] {
        held.json(&format!("GET {request}{of}"), &[], None).await;
    }
    held.upload(&format!("POST /sessions/filesystem/upload?{of}"), &[], "application/json", "up.txt").await;
    held.json(&format!("GET /env/{{names}}?{of}"), &["HOME,MISSING"], None).await;
    held.json("POST /terminal/token", &[], Some(json!({ "deploymentId": UUID }))).await;
}

async fn sessions(held: &mut Held<'_>) {
    let launch = json!({ "api_key": "a-key-of-the-answers", "config": { "driver": "scripted" } });
    let launched = held.json("POST /api/agents/launch", &[], Some(launch)).await;
    let id = text(&launched["session_id"]);
    held.json("GET /api/agents/sessions/{id}", &[id], None).await;
    held.json("GET /api/agents/sessions", &[], None).await;
    let config = json!({ "config": { "driver": "scripted" } });
    held.json("POST /api/agents/sessions/{id}/restart", &[id], Some(config)).await;
    held.json("DELETE /api/agents/sessions/{id}", &[id], None).await;
    held.json("DELETE /sessions/{id}", &[UUID], None).await;
}
