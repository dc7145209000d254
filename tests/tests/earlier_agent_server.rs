//! Clients written for the earlier agent server: its paths, its shapes, its errors.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use agcluster_tests::form::Form;
use agcluster_tests::system::screen::{refused as not_let_in, request, with_bearer};
use agcluster_tests::system::{Answer, Api, Chat, Provider, Screen, System, cut_everywhere};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

async fn system() -> (System, Api) {
    let system = System::start(Provider::Memory).await.unwrap();
    let config = "{id: scripted, name: Scripted, driver: scripted}";
    std::fs::write(system.agent_configs().join("scripted.yaml"), config).unwrap();
    system.configs().files().reload().await;
    let api = system.api("sk-test");
    (system, api)
}

fn prompt(session: &str, prompt: &str) -> Value {
    json!({ "session_id": session, "prompt": prompt, "agent": "scripted" })
}

/// Status and words of a refusal.
fn refused(answer: &Answer) -> (u16, &str) {
    assert!(answer.body["error"].is_string() && answer.body["timestamp"].is_string(), "{}", answer.body);
    (answer.status.as_u16(), answer.code())
}

async fn frames(response: reqwest::Response) -> Vec<Value> {
    let mut chat = Chat::new(response);
    let mut frames = Vec::new();
    while let Some(frame) = chat.next().await.unwrap() {
        frames.push(frame.data);
    }
    frames
}

#[tokio::test]
async fn sessions_are_made_listed_named_read_and_removed() {
    let (system, api) = system().await;
    let uuid = Uuid::new_v4().to_string();
    let new = json!({ "sessionId": uuid, "agent": "scripted", "cwd": "/workspace", "model": "anthropic/m" });
    let made = api.post("/sessions", new.clone()).await.unwrap();
    assert_eq!((made.status, &made.body["id"]), (StatusCode::CREATED, &json!(uuid)), "{}", made.body);
    assert_eq!((&made.body["model"], &made.body["isStreaming"]), (&json!("m"), &json!(false)));
    assert_eq!(refused(&api.post("/sessions", new).await.unwrap()), (409, "session_exists"));

    let path = format!("/sessions/{uuid}");
    let named =
        api.send(api.request(Method::PUT, &path).json(&json!({ "name": " Tidy up " }))).await.unwrap();
    assert_eq!(named.body["name"], "Tidy up");
    let list = api.get("/sessions").await.unwrap();
    assert_eq!((&list.body["count"], &list.body["sessions"][0]["name"]), (&json!(1), &json!("Tidy up")));
    let others = system.api("sk-other");
    assert_eq!(others.get("/sessions").await.unwrap().body["count"], 0);
    assert_eq!(refused(&others.get(&format!("{path}/messages")).await.unwrap()), (404, "session_not_found"));

    let request = api.request(Method::POST, "/generate/v2").json(&prompt(&uuid, "@@say hello"));
    let told = frames(request.send().await.unwrap()).await;
    let messages = api.get(&format!("{path}/messages")).await.unwrap();
    let messages = messages.body["messages"].as_array().unwrap().clone();
    // The list has what the stream had, but for what only ends a stream.
    assert_eq!(messages[..], told[..told.len() - 1]);

    let gone = api.delete(&path).await.unwrap();
    assert_eq!((gone.status, &gone.body["deleted"]), (StatusCode::OK, &json!(true)));
    assert_eq!(api.get("/sessions").await.unwrap().body["count"], 0);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_prompt_launches_its_session_and_is_told_as_messages_of_the_sdk() {
    let (system, api) = system().await;
    let uuid = Uuid::new_v4().to_string();
    let ask = || api.request(Method::POST, "/generate/v2").json(&prompt(&uuid, "@@say hello"));
    let told = frames(ask().send().await.unwrap()).await;
    assert_eq!(
        told[0]["message"]["content"][0]["text"], "@@say hello",
        "what was asked comes first: {told:?}"
    );
    let said = told.iter().find(|message| message["type"] == "assistant").unwrap();
    assert_eq!(
        (&said["message"]["content"][0]["text"], &said["session_id"]),
        (&json!("hello"), &json!(uuid))
    );
    let [.., result, done] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&result["subtype"], done), (&json!("success"), &json!({ "done": true })));
    // The same session again, though many ask at once for it.
    let both = tokio::join!(ask().send(), ask().send());
    let statuses = [both.0.unwrap().status(), both.1.unwrap().status()];
    assert!(statuses.contains(&StatusCode::OK), "{statuses:?}");
    assert_eq!(api.get("/sessions").await.unwrap().body["count"], 1);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_picture_of_the_workspace_goes_with_a_prompt() {
    let (system, api) = system().await;
    let made = api.post("/sessions", json!({ "agent": "scripted" })).await.unwrap();
    let png = [b"\x89PNG\r\n\x1a\n".as_slice(), b"rest"].concat();
    let upload = api.request(Method::POST, "/sessions/filesystem/upload?targetPath=shots");
    let stored = api.send(Form::of(&[]).file("one.png", png.clone()).on(upload)).await.unwrap();
    assert_eq!(stored.status, StatusCode::CREATED, "{}", stored.body);
    for path in ["shots/one.png", "/workspace/shots/one.png"] {
        let mut body = prompt(made.body["id"].as_str().unwrap(), "@@say seen");
        body["images"] = json!([path]);
        let request = api.request(Method::POST, "/generate/v2").json(&body);
        let told = frames(request.send().await.unwrap()).await;
        let asked = told.iter().find(|message| message["type"] == "user").unwrap();
        let source = json!({ "type": "base64", "media_type": "image/png", "data": STANDARD.encode(&png) });
        let picture = json!({ "type": "image", "source": source });
        assert_eq!(asked["message"]["content"][1], picture, "{path}");
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_job_is_followed_from_its_beginning_and_can_be_stopped() {
    let (system, api) = system().await;
    let uuid = Uuid::new_v4().to_string();
    let mut body = prompt(&uuid, "@@say first\n@@hang");
    body["background"] = true.into();
    let job = api.post("/generate/v2", body).await.unwrap();
    assert_eq!((job.status, &job.body["sessionId"]), (StatusCode::ACCEPTED, &json!(uuid)), "{}", job.body);
    let path = format!("/generate/v2/jobs/{}", job.body["taskId"].as_str().unwrap());
    let response = api.request(Method::GET, &format!("{path}/stream")).send().await.unwrap();
    let mut stream = Chat::new(response);
    stream.until("assistant").await.unwrap();
    assert_eq!(api.get(&path).await.unwrap().body["status"], "running");
    assert_eq!(
        refused(&api.post("/generate/v2", prompt(&uuid, "more")).await.unwrap()),
        (409, "session_busy")
    );

    let stop = format!("/generate/{uuid}/stop");
    assert_eq!(api.delete(&stop).await.unwrap().body["stopped"], true);
    let mut last = Value::Null;
    while let Some(frame) = stream.next().await.unwrap() {
        last = frame.data;
    }
    assert_eq!(last, json!({ "done": true }));
    let ended = api.get(&path).await.unwrap();
    assert_eq!(ended.body["status"], "cancelled");
    assert!(ended.body["finishedAt"].is_string());
    assert_eq!(refused(&api.delete(&stop).await.unwrap()), (404, "session_idle"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn files_repositories_variables_and_terminals_are_of_the_session_that_is_meant() {
    let (system, api) = system().await;
    assert_eq!(refused(&api.get("/git/repositories").await.unwrap()), (400, "session_id_missing"));
    let made = api.post("/sessions", json!({ "agent": "scripted" })).await.unwrap();
    let uuid = made.body["id"].as_str().unwrap().to_owned();
    let upload = |form: Form| {
        api.send(form.on(api.request(Method::POST, "/sessions/filesystem/upload?targetPath=app")))
    };
    let stored = upload(Form::of(&[("src/main.rs", "fn main() {}")])).await.unwrap();
    assert_eq!(
        (stored.status, &stored.body["uploadedCount"]),
        (StatusCode::CREATED, &json!(1)),
        "{}",
        stored.body
    );
    assert_eq!(stored.body["files"][0]["path"], "/workspace/app/src/main.rs");

    let listed = api.get("/sessions/filesystem/files?path=/workspace/app").await.unwrap();
    let paths: Vec<_> =
        listed.body["entries"].as_array().unwrap().iter().map(|entry| &entry["path"]).collect();
    assert_eq!(paths, ["/workspace/app/src", "/workspace/app/src/main.rs"], "what is higher up comes first");
    let found = api.get("/sessions/filesystem/search?path=app%20rs").await.unwrap();
    assert_eq!((&found.body["count"], &found.body["entries"][0]["type"]), (&json!(1), &json!("file")));
    assert_eq!(api.get("/git/repositories").await.unwrap().body["count"], 0);
    let none = api.get(&format!("/git/diff?path=app&session_id={uuid}")).await.unwrap();
    assert_eq!(refused(&none), (404, "git_not_a_repository"));

    // Files have limits of their own, beyond those of other bodies.
    let large = upload(Form::of(&[]).file("large", vec![b'x'; 40 << 20])).await.unwrap();
    assert_eq!(large.body["files"][0]["bytes"], 40 << 20, "{}", large.body);
    let larger = upload(Form::of(&[]).file("larger", vec![b'x'; 51 << 20])).await.unwrap();
    assert_eq!(refused(&larger), (413, "too_large"));

    assert_eq!(api.get("/env/NO_SUCH_NAME").await.unwrap().body, json!({ "NO_SUCH_NAME": false }));
    assert_eq!(refused(&api.get("/env/lower").await.unwrap()), (400, "environment_name_invalid"));
    let token = api.post("/terminal/token", json!({ "deploymentId": uuid })).await.unwrap();
    assert_eq!((&token.body["deploymentId"], &token.body["terminalId"]), (&json!(uuid), &json!("main")));

    // With two of them, one has to be named.
    api.post("/sessions", json!({ "agent": "scripted" })).await.unwrap();
    assert_eq!(refused(&api.get("/git/repositories").await.unwrap()), (400, "session_id_missing"));
    let header = api.request(Method::GET, "/git/repositories").header("x-session-id", &uuid);
    assert_eq!(api.send(header).await.unwrap().status, StatusCode::OK);
    system.stop().await.unwrap();
}

/// Runs a command in the workspace.
async fn run(api: &Api, uuid: &str, script: &str) {
    let path = format!("/api/agents/conv-{uuid}/exec");
    let request = api.request(Method::POST, &path).header("accept", "application/json");
    let ran = api.send(request.json(&json!({ "command": ["sh", "-ec", script] }))).await.unwrap();
    assert_eq!(ran.body["exit_code"], 0, "{}", ran.body);
}

#[tokio::test]
async fn repositories_and_differences_have_the_earlier_shapes() {
    let (system, api) = system().await;
    let made = api.post("/sessions", json!({ "agent": "scripted" })).await.unwrap();
    let script = "git init -qb main app; cd app; git config user.name N; git config user.email n@x; printf 'one\\ntwo\\n' > a.txt; \
                  git add a.txt; git commit -qm first; git worktree add -qb other ../side; printf 'one\\n2\\n' > a.txt; echo new > b.txt";
    run(&api, made.body["id"].as_str().unwrap(), script).await;
    let found = api.get("/git/repositories").await.unwrap();
    assert_eq!((found.status, &found.body["count"]), (StatusCode::OK, &json!(2)), "{}", found.body);
    let repositories = found.body["repositories"].as_array().unwrap();
    let fields =
        |one: &Value| ["name", "relativePath", "isWorktree", "branch"].map(|field| one[field].clone());
    let expected = [
        [json!("app"), json!("app"), json!(false), json!("main")],
        [json!("side"), json!("side"), json!(true), json!("other")],
    ];
    assert_eq!(repositories.iter().map(fields).collect::<Vec<_>>(), expected, "{repositories:#?}");
    assert!(repositories.iter().all(|one| one["path"].is_string() && one["root"].is_string()));

    let diff = api.get("/git/diff?path=app&context=0").await.unwrap().body;
    assert_eq!(
        (&diff["relativePath"], &diff["base"], &diff["head"]),
        (&json!("app"), &json!("HEAD"), &Value::Null)
    );
    assert!(diff["repoPath"].is_string() && diff["timestamp"].is_string(), "{diff}");
    let [changed, new] = &diff["files"].as_array().unwrap()[..] else { panic!("{diff}") };
    assert_eq!(
        (&changed["oldPath"], &changed["newPath"], &changed["status"]),
        (&json!("a.txt"), &json!("a.txt"), &json!("modified"))
    );
    assert_eq!((&changed["additions"], &changed["deletions"]), (&json!(1), &json!(1)));
    let hunk = json!({
        "oldStart": 2, "oldLines": 1, "newStart": 2, "newLines": 1,
        "lines": [
            { "type": "del", "content": "two", "oldLine": 2, "newLine": null },
            { "type": "add", "content": "2", "oldLine": null, "newLine": 2 },
        ],
    });
    assert_eq!(changed["hunks"], json!([hunk]));
    assert_eq!((&new["newPath"], &new["status"]), (&json!("b.txt"), &json!("added")), "untracked: {new}");
    let staged = api.get("/git/diff?path=app&staged=true").await.unwrap().body;
    assert_eq!(staged["files"], json!([]));
    for (query, status, code) in [
        ("path=app&base=nowhere", 404, "git_ref_not_found"),
        ("path=app&base=--output=x", 404, "git_ref_not_found"),
        ("path=../..", 400, "invalid_path"),
        ("base=HEAD", 404, "git_not_a_repository"),
    ] {
        let wrong = api.get(&format!("/git/diff?{query}")).await.unwrap();
        assert_eq!(refused(&wrong), (status, code), "{query}");
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_of_the_earlier_shape_opens_a_terminal_once() {
    let (system, api) = system().await;
    let made = api.post("/sessions", json!({ "agent": "scripted" })).await.unwrap();
    let wanted = json!({ "deploymentId": made.body["id"], "terminalId": "work" });
    let given = api.post("/terminal/token", wanted.clone()).await.unwrap().body;
    let opening = || {
        let request = request(&api, "/ws/terminal").unwrap();
        with_bearer(request, given["token"].as_str().unwrap()).unwrap()
    };
    let mut screen = Screen::connect(opening()).await.unwrap();
    let info = screen.frame("info").await.unwrap();
    assert!(info["data"].as_str().unwrap().starts_with("Connected to "), "{info}");
    screen.write("echo $((6*7))-ready\r").await.unwrap();
    screen.until("42-ready").await.unwrap();
    assert_eq!(not_let_in(opening()).await.unwrap(), (401, "terminal_token_used".to_owned()));
    let others = system.api("sk-other").post("/terminal/token", wanted).await.unwrap();
    assert_eq!(refused(&others), (404, "session_not_found"));
    for (wrong, code) in [("local-dev", "invalid_session_id"), ("", "invalid_session_id")] {
        let wrong = api.post("/terminal/token", json!({ "deploymentId": wrong })).await.unwrap();
        assert_eq!(refused(&wrong), (400, code));
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_goes_on_by_repeating_it_or_by_its_job() {
    let (system, api) = system().await;
    let uuid = Uuid::new_v4().to_string();
    let script: String =
        (0..10).map(|nth| format!("@@say {nth}\n@@tool Bash {{\"nth\": {nth}}} => ok\n")).collect();
    let request = |id: Option<&str>| {
        let request = api.request(Method::POST, "/generate/v2").header("idempotency-key", "once");
        let request = request.json(&prompt(&uuid, &script));
        id.into_iter().fold(request, |request, id| request.header("last-event-id", id))
    };
    let first = request(None).send().await.unwrap();
    let job = format!("/generate/v2/jobs/{}/stream", first.headers()["x-turn-id"].to_str().unwrap());
    let whole = first.text().await.unwrap();
    assert!(whole.ends_with("data: {\"done\":true}\n\n"), "{whole}");
    cut_everywhere(&whole, async |id| request(id).send().await.unwrap().text().await.unwrap()).await;
    let from_job = async |id: Option<&str>| {
        let request = api.request(Method::GET, &job);
        let request = id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        request.send().await.unwrap().text().await.unwrap()
    };
    cut_everywhere(&whole, from_job).await;
    let unnamed =
        api.request(Method::POST, "/generate/v2").header("last-event-id", "1").json(&prompt(&uuid, "x"));
    assert_eq!(refused(&api.send(unnamed).await.unwrap()), (400, "idempotency_key_missing"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_earlier_shape() {
    let (system, api) = system().await;
    let wrong = api.post("/generate/v2", json!({ "session_id": "local-dev", "prompt": "x" })).await.unwrap();
    assert_eq!(refused(&wrong), (400, "invalid_session_id"));
    let unfit = api.post("/generate/v2", json!({ "prompt": "x" })).await.unwrap();
    assert_eq!(
        (refused(&unfit), &unfit.body["error"]),
        ((400, "invalid_request"), &json!("Validation failed"))
    );
    let id = Uuid::new_v4();
    let silent = api.post("/generate/v2", prompt(&id.to_string(), "  ")).await.unwrap();
    assert_eq!(refused(&silent), (400, "no_user_message"));
    let codex = json!({ "session_id": id, "prompt": "x", "agent": "codex" });
    assert_eq!(refused(&api.post("/generate/v2", codex).await.unwrap()), (400, "agent_unknown"));
    let mut picture = prompt(&id.to_string(), "look");
    picture["images"] = json!(["notes.txt"]);
    assert_eq!(refused(&api.post("/generate/v2", picture).await.unwrap()), (400, "image_invalid"));
    assert_eq!(refused(&api.get(&format!("/generate/v2/jobs/{id}")).await.unwrap()), (404, "job_not_found"));
    assert_eq!(refused(&system.api("").get("/sessions").await.unwrap()), (401, "unauthorized"));
    system.stop().await.unwrap();
}
