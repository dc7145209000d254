//! A command whose stream broke is gone on with, and not run again.

use agcluster_tests::system::{Api, Installation, Plan, Provider, cut_everywhere, last_id, whole_frames};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{scripted, soon, system};

/// Sends a command with a key, or asks again for what is missing behind an id.
async fn exec(api: &Api, session: &str, command: &Value, id: Option<&str>) -> Response {
    let request = api.request(Method::POST, &format!("/api/agents/{session}/exec"));
    let mut request = request.header("accept", "text/event-stream").header("idempotency-key", "once");
    if let Some(id) = id {
        request = request.header("last-event-id", id);
    }
    request.json(command).send().await.unwrap()
}

fn script(text: &str) -> Value {
    json!({ "command": ["sh", "-c", text] })
}

/// What a command writes that is run to its end.
async fn output(api: &Api, session: &str, text: &str) -> String {
    let request = api.request(Method::POST, &format!("/api/agents/{session}/exec"));
    let answer = api.send(request.header("accept", "application/json").json(&script(text))).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["stdout"].as_str().unwrap().to_owned()
}

/// Reads until this was told, and breaks off.
async fn until(mut response: Response, wanted: &str) -> Vec<(Option<String>, String)> {
    let mut text = String::new();
    while !whole_frames(&text).iter().any(|(_, data)| data.contains(wanted)) {
        text.push_str(std::str::from_utf8(&soon(response.chunk()).await.unwrap().unwrap()).unwrap());
    }
    whole_frames(&text)
}

#[tokio::test]
async fn a_command_that_is_cut_anywhere_goes_on_with_what_is_missing() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    // Characters of three bytes, which no frame ends on by itself.
    let command = script("echo run >> ran; yes \u{20ac}uro | head -c 450000; echo err >&2; exit 7");
    let text = async |id: Option<&str>| {
        let response = exec(&api, &session.id, &command, id).await;
        assert_eq!(response.status(), 200);
        soon(response.text()).await.unwrap()
    };
    let whole = text(None).await;
    let end: Value = serde_json::from_str(&whole_frames(&whole).last().unwrap().1).unwrap();
    assert_eq!((&end["type"], &end["exit_code"]), (&json!("exit"), &json!(7)));
    assert!(!whole.contains(char::REPLACEMENT_CHARACTER));
    cut_everywhere(&whole, text).await;
    let last = last_id(&whole_frames(&whole)).unwrap().to_owned();
    assert_eq!(text(Some(&last)).await, "");
    assert_eq!(output(&api, &session.id, "cat ran").await, "run\n");
    system.stop().await.unwrap();
}

const WAITS: &str = "echo run >> ran; echo begun; while [ ! -e go ]; do sleep 0.05; done; echo the end";

#[tokio::test]
async fn a_command_goes_on_while_it_still_runs() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let command = script(WAITS);
    let mut seen = until(exec(&api, &session.id, &command, None).await, "begun").await;
    let rest = exec(&api, &session.id, &command, last_id(&seen)).await;
    output(&api, &session.id, "touch go").await;
    seen.extend(whole_frames(&soon(rest.text()).await.unwrap()));
    let whole = exec(&api, &session.id, &command, None).await;
    assert_eq!(seen, whole_frames(&soon(whole.text()).await.unwrap()));
    assert_eq!(output(&api, &session.id, "cat ran").await, "run\n");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_gone_on_with_is_refused_and_not_run() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let command = script("echo run >> ran; echo hi");
    let first = whole_frames(&exec(&api, &session.id, &command, None).await.text().await.unwrap());
    let future = format!("{}-99", last_id(&first).unwrap().split_once('-').unwrap().0);
    for (id, status, code) in [
        ("x", 400, "invalid_cursor"),
        ("7", 400, "invalid_cursor"),
        ("1-1", 410, "cursor_expired"),
        (&*future, 400, "cursor_in_future"),
    ] {
        let refused = exec(&api, &session.id, &command, Some(id)).await;
        assert_eq!(refused.status(), status, "{id}");
        let refused: Value = refused.json().await.unwrap();
        assert_eq!(refused["code"], code, "{id}");
    }
    let other = exec(&api, &session.id, &script("echo run >> ran; echo other"), None).await;
    assert_eq!(other.status(), 422);
    assert_eq!(other.json::<Value>().await.unwrap()["code"], "idempotency_key_reused");
    let path = format!("/api/agents/{}/exec", session.id);
    for (key, status, code) in
        [(None, 400, "idempotency_key_missing"), (Some("unknown"), 410, "cursor_expired")]
    {
        let mut request = api.request(Method::POST, &path).header("last-event-id", "1-1").json(&command);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let refused = api.send(request).await.unwrap();
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code));
    }
    assert_eq!(output(&api, &session.id, "cat ran").await, "run\n");
    system.stop().await.unwrap();
}

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn a_command_goes_on_after_a_kill_of_the_server() {
    Installation::with(Plan::on(Provider::Process), async |installation| {
        let api = installation.api("key");
        let session = scripted(&api).await.id;
        let command = script(WAITS);
        let mut seen = until(exec(&api, &session, &command, None).await, "begun").await;
        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        let rest = exec(&api, &session, &command, last_id(&seen)).await;
        output(&api, &session, "touch go").await;
        seen.extend(whole_frames(&soon(rest.text()).await.unwrap()));
        let whole = exec(&api, &session, &command, None).await;
        assert_eq!(seen, whole_frames(&soon(whole.text()).await.unwrap()));
        assert_eq!(output(&api, &session, "cat ran").await, "run\n");
        Ok(())
    })
    .await
    .unwrap();
}
