//! Reconnecting at any byte gives what is missing, once.

use agcluster_tests::system::{Chat, cut_everywhere, last_id, whole_frames};

use super::*;

const SCRIPT: &str = "@@think hm\n@@tool Bash {\"command\": \"ls\"} => file\n@@stream 10\n@@say done";

#[tokio::test]
async fn a_chat_goes_on_by_repeating_the_request_or_by_its_job() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let chat = async |id: Option<&str>| {
        let path = format!("/api/agents/{}/chat", session.id);
        let mut request = api.request(Method::POST, &path).header("idempotency-key", "once");
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        request.json(&json!({ "message": SCRIPT })).send().await.unwrap()
    };
    let first = chat(None).await;
    assert_eq!(first.status(), StatusCode::OK);
    let job = first.headers()["x-turn-id"].to_str().unwrap().to_owned();
    let whole = first.text().await.unwrap();
    assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");
    cut_everywhere(&whole, async |id| chat(id).await.text().await.unwrap()).await;

    let path = format!("/api/jobs/{job}/stream?format=chat");
    let from_job = async |id: Option<&str>| match id {
        None => text(&api, &path).await.1,
        Some(id) => text(&api, &format!("{path}&after={id}")).await.1,
    };
    cut_everywhere(&whole, from_job).await;
    let turns = api.get("/api/jobs").await.unwrap().body["jobs"].as_array().unwrap().len();
    assert_eq!(turns, 1, "nothing ran twice");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_job_s_events_go_on_from_any_of_them() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let first = job(&api, &session, SCRIPT).await;
    end_of(&api, &first).await;
    // Another turn behind it is no part of it.
    end_of(&api, &job(&api, &session, "@@say other").await).await;
    let path = format!("/api/jobs/{first}/stream");
    let (_, whole) = text(&api, &path).await;
    cut_everywhere(&whole, async |id| {
        let mut request = api.request(Method::GET, &path);
        if let Some(id) = id {
            request = request.header("last-event-id", id);
        }
        request.send().await.unwrap().text().await.unwrap()
    })
    .await;
    let last = last_id(&whole_frames(&whole)).unwrap().to_owned();
    let (status, nothing) = text(&api, &format!("{path}?after={last}")).await;
    assert_eq!(
        (status, &*nothing),
        (StatusCode::NO_CONTENT, ""),
        "a client that has all need not come again"
    );
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_of_tools_goes_on_from_any_of_its_events() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let calls: String =
        (0..8).map(|nth| format!("@@say {nth}\n@@tool Bash {{\"nth\": {nth}}} => ok\n")).collect();
    session.ask(&calls).await.unwrap();
    // Of each call: that it begins, what it is, its result.
    let read = async |after: &str, count: usize| {
        let path = format!("/api/tools/{}/stream", session.id);
        let response = api.request(Method::GET, &path).header("last-event-id", after).send().await.unwrap();
        let mut stream = Chat::new(response);
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.push(stream.next().await.unwrap().unwrap());
        }
        seen
    };
    let all = read("0", 24).await;
    for seen in 1..24 {
        let id = all[seen - 1].id.unwrap().to_string();
        assert_eq!(read(&id, 24 - seen).await, all[seen..], "behind {id}");
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_cursor_must_be_one_of_the_stream_s() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let job = job(&api, &session, "@@say hi").await;
    end_of(&api, &job).await;
    let id = &session.id;
    let streams = [
        format!("/api/agents/{id}/events"),
        format!("/api/agents/{id}/messages"),
        format!("/api/jobs/{job}/stream"),
        format!("/api/jobs/{job}/stream?format=chat"),
        format!("/api/tools/{id}/stream"),
    ];
    for path in &streams {
        let join = if path.contains('?') { '&' } else { '?' };
        for bad in ["x", "-1", "%2B1", "1.0", "1.1.1", "99999999999999999999", ""] {
            let answer = api.get(&format!("{path}{join}after={bad}")).await.unwrap();
            assert_eq!(refusal(&answer), (400, "invalid_cursor"), "{path} {bad:?}");
        }
        let header = api.request(Method::GET, path).header("last-event-id", "yesterday");
        assert_eq!(refusal(&api.send(header).await.unwrap()), (400, "invalid_cursor"), "{path}");
        let future = api.get(&format!("{path}{join}after=9999")).await.unwrap();
        assert_eq!(refusal(&future), (400, "cursor_in_future"), "{path}");
    }
    let part = api.get(&format!("{}?after=3.1", streams[0])).await.unwrap();
    assert_eq!(refusal(&part), (400, "invalid_cursor"), "native events have no parts");
    let shape = api.get(&format!("/api/jobs/{job}/stream?format=xml")).await.unwrap();
    assert_eq!(refusal(&shape), (400, "invalid_query"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_no_longer_kept_is_said_with_what_is() {
    let system = System::start_with(Provider::Memory, &["--events-max-size=1m"]).await.unwrap();
    let api = system.api("key").described();
    let session = scripted(&api).await;
    // Nobody reads these, until they have fallen behind.
    let mut slow = session.events(0).await.unwrap();
    let mut chat = session.chat("@@stream 400 of 65536 bytes").await.unwrap();
    let first = job(&api, &session, "@@stream 40 of 65536 bytes").await;
    end_of(&api, &first).await;

    let path = format!("/api/agents/{}/events", session.id);
    let expired = api.get(&format!("{path}?after=1")).await.unwrap();
    assert_eq!(refusal(&expired), (410, "cursor_expired"));
    // More may be dropped meanwhile.
    let (earliest, mut fresh) = loop {
        let expired = api.get(&format!("{path}?after=1")).await.unwrap();
        let earliest = expired.body["earliest"].as_u64().unwrap();
        if let Ok(fresh) = session.events(earliest - 1).await {
            break (earliest, fresh);
        }
    };
    assert_eq!(fresh.next().await.unwrap().unwrap().id, Some(earliest), "reading goes on from there");
    let messages = api.get(&format!("/api/agents/{}/messages?after=1", session.id)).await.unwrap();
    assert_eq!(refusal(&messages), (410, "cursor_expired"));
    let messages = api.get(&format!("/api/agents/{}/messages", session.id)).await.unwrap();
    assert_eq!(messages.status, StatusCode::OK, "without a cursor it begins with what is kept");

    let mut last = None;
    while let Some(frame) = slow.next().await.unwrap() {
        if let (Some(before), Some(id)) = (last, frame.id) {
            assert_eq!(id, before + 1, "no gap is passed over in silence");
        }
        last = frame.id.or(last);
        if frame.kind() == "cursor_expired" {
            assert!(frame.data["earliest"].as_u64().unwrap() > last.unwrap() + 1, "{}", frame.data);
            assert_eq!(slow.next().await.unwrap(), None, "and that is the end");
            last = None;
            break;
        }
    }
    assert_eq!(last, None, "the stream ended without a word");
    let error = chat.until("error").await.unwrap();
    assert_eq!(error.data["code"], "cursor_expired");
    assert!(error.data["earliest"].is_u64(), "{}", error.data);
    assert_eq!(chat.next().await.unwrap().unwrap().kind(), "[DONE]");
    system.stop().await.unwrap();
}
