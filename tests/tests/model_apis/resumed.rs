//! A stream of an answer that broke goes on exactly where it did, by repeating the request.

use agcluster_tests::system::{Installation, Plan, cut_everywhere, last_id, whole_frames};
use futures::StreamExt;

use super::*;

const SCRIPT: &str =
    "@@think hm\n@@say I look.\n@@tool Bash {\"command\": \"ls\"} => file\n@@stream 20\n@@say done";

/// A request in a conversation that may be repeated, for each of the APIs: its path and its body.
fn requests(script: &str) -> [(&'static str, Value); 3] {
    let mut chat = ask(script);
    chat["stream"] = true.into();
    chat["stream_options"] = json!({ "include_usage": true });
    let message = json!({ "role": "user", "content": script });
    [
        (CHAT, chat),
        ("/v1/responses", json!({ "model": "scripted", "input": script, "stream": true })),
        (
            "/v1/messages",
            json!({ "model": "scripted", "messages": [message], "max_tokens": 100, "stream": true }),
        ),
    ]
}

/// Sends a request, or asks again for what is missing behind an id.
async fn ask_again(api: &Api, (path, body): &(&str, Value), id: Option<&str>) -> reqwest::Response {
    let conversation = path.rsplit('/').next().unwrap();
    let mut headers = vec![("x-conversation-id", conversation), ("idempotency-key", *path)];
    headers.extend(id.map(|id| ("last-event-id", id)));
    post(api, path, &headers, body).send().await.unwrap()
}

async fn text(api: &Api, request: &(&str, Value), id: Option<&str>) -> String {
    let response = ask_again(api, request, id).await;
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    response.text().await.unwrap()
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_goes_on_with_what_is_missing() {
    let system = system().await;
    let api = system.api("key").described();
    for request in requests(SCRIPT) {
        let whole = text(&api, &request, None).await;
        cut_everywhere(&whole, async |id| text(&api, &request, id).await).await;
        let last = last_id(&whole_frames(&whole)).unwrap().to_owned();
        let nothing = ask_again(&api, &request, Some(&last)).await;
        assert_eq!(nothing.status(), StatusCode::NO_CONTENT, "a client that has all need not come again");
    }
    let turns = api.get("/api/jobs").await.unwrap().body["jobs"].as_array().unwrap().len();
    assert_eq!(turns, 3, "nothing ran twice");
    system.stop().await.unwrap();
}

/// A response that is stored is gone on with in a session of its own, and by its name, too.
#[tokio::test]
async fn a_response_goes_on_without_a_conversation_and_by_its_name() {
    let system = system().await;
    let api = system.api("key").described();
    let [_, (path, body), _] = requests(SCRIPT);
    let again = async |id: Option<&str>| {
        let mut headers = vec![("idempotency-key", "once")];
        headers.extend(id.map(|id| ("last-event-id", id)));
        post(&api, path, &headers, &body).send().await.unwrap().text().await.unwrap()
    };
    let whole = again(None).await;
    cut_everywhere(&whole, again).await;
    assert_eq!(sessions(&api).await.len(), 1, "no session was launched again");

    let created: Value = serde_json::from_str(&whole_frames(&whole)[0].1).unwrap();
    let by_name = format!("/v1/responses/{}?stream=true", created["response"]["id"].as_str().unwrap());
    let named = async |id: Option<&str>| {
        let mut request = api.request(Method::GET, &by_name);
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        request.send().await.unwrap().text().await.unwrap()
    };
    let whole = named(None).await;
    cut_everywhere(&whole, named).await;
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_answer_goes_on_while_its_turn_still_runs() {
    let system = system().await;
    let api = system.api("key").described();
    for request in requests("@@say begun\n@@gate go\n@@say the end") {
        let broken = ask_again(&api, &request, None).await;
        let session = api.session(broken.headers()["x-session-id"].to_str().unwrap());
        let (mut broken, mut seen) = (broken.bytes_stream(), String::new());
        while !seen.contains("request go") {
            seen.push_str(std::str::from_utf8(&broken.next().await.unwrap().unwrap()).unwrap());
        }
        drop(broken);
        let mut frames = whole_frames(&seen);
        let rest = ask_again(&api, &request, last_id(&frames)).await;
        let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
        assert_eq!(session.post("answer", answer).await.unwrap().status, StatusCode::OK);
        frames.extend(whole_frames(&rest.text().await.unwrap()));
        assert_eq!(frames, whole_frames(&text(&api, &request, None).await));
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_gone_on_with_is_refused() {
    let system = system().await;
    let api = system.api("key").described();
    for (path, body) in requests("@@say hi") {
        let code = async |headers: &[(&str, &str)], body: &Value| {
            let answer = api.send(post(&api, path, headers, body)).await.unwrap();
            let code = answer.body["error"]["code"].as_str().unwrap_or_default().to_owned();
            (answer.status.as_u16(), code)
        };
        let refused = |status: u16, code: &str| (status, code.to_owned());
        let [conversation, key] = [("x-conversation-id", "c"), ("idempotency-key", path)];
        let unnamed = code(&[conversation, ("last-event-id", "1")], &body).await;
        assert_eq!(unnamed, refused(400, "idempotency_key_missing"), "{path}");
        for bad in ["x", "1.0", "-1"] {
            let malformed = code(&[conversation, key, ("last-event-id", bad)], &body).await;
            assert_eq!(malformed, refused(400, "invalid_cursor"), "{path} {bad}");
        }
        let future = code(&[conversation, key, ("last-event-id", "9999")], &body).await;
        assert_eq!(future, refused(400, "cursor_in_future"), "{path}");
        if path != "/v1/responses" {
            let alone = code(&[key, ("last-event-id", "1")], &body).await;
            assert_eq!(alone, refused(400, "session_id_missing"), "{path}");
        }
        post(&api, path, &[conversation, key], &body).send().await.unwrap().text().await.unwrap();
        let (_, other) = requests("@@say other").into_iter().find(|(other, _)| *other == path).unwrap();
        let differs = code(&[conversation, key, ("last-event-id", "1")], &other).await;
        assert_eq!(differs, refused(422, "idempotency_key_reused"), "{path}");
    }
    system.stop().await.unwrap();
}

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn answers_go_on_after_a_kill_of_the_server() {
    Installation::with(Plan::on(Provider::Process), async |installation| {
        std::fs::write(installation.path("agents").join("scripted.yaml"), SCRIPTED)?;
        installation.kill().await?;
        installation.start().await?;
        let requests = requests(SCRIPT);
        let mut whole = Vec::new();
        for request in &requests {
            whole.push(text(&installation.api("key"), request, None).await);
        }
        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        for (request, whole) in requests.iter().zip(whole) {
            cut_everywhere(&whole, async |id| text(&installation.api("key"), request, id).await).await;
        }
        Ok(())
    })
    .await
    .unwrap();
}
