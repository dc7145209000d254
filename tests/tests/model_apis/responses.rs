//! Responses.

use super::*;

const RESPONSES: &str = "/v1/responses";

fn input(text: &str) -> Value {
    json!({ "model": "scripted", "input": text })
}

/// What was said in a response.
fn output_text(response: &Value) -> String {
    let items = response["output"].as_array().unwrap();
    let messages = items.iter().filter(|item| item["type"] == "message");
    messages.map(|item| item["content"][0]["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_response_can_be_gone_on_from_and_read_again() {
    let system = system().await;
    let api = system.api("key");
    let first = send(&api, RESPONSES, &[], input("@@think hm\n@@say one")).await;
    assert_eq!(
        (first.status, &first.body["status"]),
        (StatusCode::OK, &json!("completed")),
        "{}",
        first.body
    );
    assert_eq!(output_text(&first.body), "one");
    assert_eq!(first.body["output"][0]["type"], "reasoning");
    let id = first.body["id"].as_str().unwrap();
    let mut body = input("@@recall");
    body["previous_response_id"] = id.into();
    let second = send(&api, RESPONSES, &[], body.clone()).await;
    assert!(output_text(&second.body).contains("@@say one"), "{}", second.body);
    assert_eq!(session_of(&second), session_of(&first));
    assert_eq!(second.body["previous_response_id"], id);

    let again = api.get(&format!("{RESPONSES}/{id}")).await.unwrap();
    assert_eq!((&again.body["status"], &again.body["output"]), (&json!("completed"), &first.body["output"]));
    let other = system.api("yours");
    assert_eq!(error(&other.get(&format!("{RESPONSES}/{id}")).await.unwrap()).2, "response_not_found");
    let theirs = send(&other, RESPONSES, &[], body.clone()).await;
    assert_eq!(error(&theirs), (404, "invalid_request_error", "previous_response_not_found"));
    api.session(&session_of(&first)).delete().await.unwrap();
    let gone = send(&api, RESPONSES, &[], body).await;
    assert_eq!(error(&gone).2, "previous_response_not_found");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_response_that_is_not_stored_leaves_nothing() {
    let system = system().await;
    let api = system.api("key");
    let mut body = input("@@say one");
    body["store"] = false.into();
    let response = send(&api, RESPONSES, &[], body).await;
    assert_eq!(output_text(&response.body), "one");
    none_left(&api).await;
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_response_streams_and_its_stream_can_be_read_again() {
    let system = system().await;
    let api = system.api("key");
    let mut body = input("@@say one two\n@@tool Bash {\"command\": \"ls\"} => a.txt\n@@say three");
    body["stream"] = true.into();
    let events = frames(post(&api, RESPONSES, &[], &body)).await;
    for (nth, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], nth);
    }
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds[..4],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added"
        ]
    );
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(output_text(&last["response"]), "one twothree");
    let id = events[0]["response"]["id"].as_str().unwrap();
    let path = format!("{RESPONSES}/{id}?stream=true&starting_after=4");
    let rest = frames(api.request(Method::GET, &path)).await;
    let sequence = |events: &[Value]| -> Vec<Value> {
        events.iter().map(|event| json!([event["sequence_number"], event["type"], event["delta"]])).collect()
    };
    assert_eq!(sequence(&rest), sequence(&events[5..]));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_response_in_the_background_is_asked_for_and_cancelled() {
    let system = system().await;
    let api = system.api("key");
    let mut body = input("@@say begun\n@@hang");
    body["background"] = true.into();
    let queued = send(&api, RESPONSES, &[], body).await;
    assert_eq!((queued.status, &queued.body["status"]), (StatusCode::OK, &json!("queued")));
    let path = format!("{RESPONSES}/{}", queued.body["id"].as_str().unwrap());
    api.session(&session_of(&queued)).events(0).await.unwrap().until("text").await.unwrap();
    let running = api.get(&path).await.unwrap().body;
    assert_eq!((&running["status"], &running["background"]), (&json!("in_progress"), &json!(true)));
    let cancelled = api.post(&format!("{path}/cancel"), json!({})).await.unwrap();
    assert_eq!((cancelled.status, &cancelled.body["status"]), (StatusCode::OK, &json!("cancelled")));
    assert_eq!(output_text(&cancelled.body), "begun");
    assert_eq!(api.get(&path).await.unwrap().body["status"], "cancelled");
    let again = api.post(&format!("{path}/cancel"), json!({})).await.unwrap();
    assert_eq!(error(&again), (409, "invalid_request_error", "job_ended"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_failed_response_is_an_error_and_stays_readable_as_failed() {
    let system = system().await;
    let api = system.api("key");
    let failed = send(&api, RESPONSES, &[], input("@@say x\n@@fail model_api on fire")).await;
    assert_eq!(error(&failed), (502, "server_error", "model_api"));
    let mut body = input("@@say x\n@@fail model_api on fire");
    body["stream"] = true.into();
    let events = frames(post(&api, RESPONSES, &[], &body)).await;
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(last["response"]["error"]["message"], "on fire");
    let path = format!("{RESPONSES}/{}", last["response"]["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.unwrap().body["error"]["code"], "model_api");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_response_without_a_question_is_refused() {
    let system = system().await;
    let api = system.api("key");
    for (body, code) in [
        (json!({ "model": "scripted" }), "messages_empty"),
        (json!({ "model": "scripted", "input": [] }), "messages_empty"),
        (json!({ "model": "scripted", "input": "", "instructions": "be kind" }), "no_user_message"),
        (
            json!({ "model": "scripted", "input": "x", "previous_response_id": "resp_x" }),
            "previous_response_not_found",
        ),
        (
            json!({ "model": "scripted", "input": "x", "tools": [{ "type": "web_search" }] }),
            "unsupported_parameter",
        ),
    ] {
        let refused = send(&api, RESPONSES, &[], body).await;
        assert_eq!(error(&refused).2, code, "{}", refused.body);
    }
    assert_eq!(sessions(&api).await.len(), 0);
    system.stop().await.unwrap();
}
