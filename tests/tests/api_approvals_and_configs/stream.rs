//! The stream of all approvals goes on exactly where it broke.

use agcluster_tests::system::Frame;
use reqwest::Method;

use super::*;

/// So many frames of the stream, behind an id.
async fn read(api: &Api, after: Option<u64>, count: usize) -> Vec<Frame> {
    let mut request = api.request(Method::GET, "/api/approvals/stream");
    if let Some(after) = after {
        request = request.header("last-event-id", after.to_string());
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = Chat::new(response);
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(stream.next().await.unwrap().unwrap());
    }
    seen
}

/// What becomes of things that are asked, in two sessions: how it is told, in order.
async fn ask_and_settle(api: &Api, one: &Session, two: &Session) -> [(&'static str, &'static str); 8] {
    let decide = async |decision: Value| {
        let approval = pending(api).await.remove(0);
        let answer = api.post(&path(&approval), decision).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    };
    let first = asking(one, "@@permission Bash {\"command\": \"touch x\"}\n@@say done").await;
    let second = asking(two, "@@ask Which? | A").await;
    decide(json!({ "decision": "deny", "reason": "no" })).await;
    first.rest().await.unwrap();
    decide(json!({ "decision": "answers", "answers": { "Which?": "A" } })).await;
    second.rest().await.unwrap();
    let third = asking(one, "@@permission Bash {\"command\": \"touch y\"}\n@@say done").await;
    one.post("interrupt", json!({})).await.unwrap();
    third.rest().await.unwrap();
    let fourth = asking(two, "@@permission ExitPlanMode {\"plan\": \"1. build\"}\n@@say done").await;
    decide(json!({ "decision": "allow" })).await;
    fourth.rest().await.unwrap();
    [
        ("approval_requested", "pending"),
        ("approval_requested", "pending"),
        ("approval_settled", "denied"),
        ("approval_settled", "answered"),
        ("approval_requested", "pending"),
        ("approval_settled", "withdrawn"),
        ("approval_requested", "pending"),
        ("approval_settled", "allowed"),
    ]
}

/// Cuts behind every frame, and holds what comes then against what would have come.
async fn cut_everywhere(api: &Api, all: &[Frame]) {
    for seen in 1..all.len() {
        let id = all[seen - 1].id;
        assert!(id.is_some(), "a frame without an id cannot be gone on from: {:?}", all[seen - 1]);
        assert_eq!(read(api, id, all.len() - seen).await, all[seen..], "behind {id:?}");
    }
}

#[tokio::test]
async fn a_client_that_comes_again_is_told_what_it_missed() {
    let system = system().await;
    let (api, other) = (system.api("mine").described(), system.api("yours"));
    let (one, two, theirs) = (scripted(&api).await, scripted(&api).await, scripted(&other).await);
    let request = api.request(Method::GET, "/api/approvals/stream").send().await.unwrap();
    let mut live = Chat::new(request);
    let _not_mine = asking(&theirs, "@@ask Which? | A").await;
    let expected = ask_and_settle(&api, &one, &two).await;
    let mut all = Vec::new();
    while all.len() < expected.len() {
        all.push(live.next().await.unwrap().unwrap());
    }
    let told: Vec<_> =
        all.iter().map(|frame| (frame.kind(), frame.data["approval"]["status"].as_str().unwrap())).collect();
    assert_eq!(told, expected);
    cut_everywhere(&api, &all).await;

    // Who had nothing yet has where it was nevertheless.
    let fifth = asking(&one, "@@ask Which? | A").await;
    let waiting = read(&api, None, 1).await;
    assert_eq!(read(&api, all.last().unwrap().id, 1).await, waiting);
    let name = &waiting[0].data["approval"];
    assert_eq!((&name["status"], &name["session_id"]), (&json!("pending"), &json!(one.id)));
    drop(fifth);
    // Of a session that is removed is told that it is settled, as far as that is known.
    one.delete().await.unwrap();
    let gone = read(&api, waiting[0].id, 1).await.remove(0);
    let approval = &gone.data["approval"];
    assert_eq!((gone.kind(), &approval["status"]), ("approval_settled", &json!("withdrawn")));
    assert_eq!((&approval["session_id"], &approval["request_id"]), (&json!(one.id), &name["request_id"]));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_had_seen_nothing_is_told_what_came_meanwhile() {
    let system = system().await;
    let api = system.api("mine").described();
    let session = scripted(&api).await;
    let mut empty = api.request(Method::GET, "/api/approvals/stream").send().await.unwrap();
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        text.push_str(std::str::from_utf8(&empty.chunk().await.unwrap().unwrap()).unwrap());
    }
    drop(empty);
    let place = text.trim().strip_prefix("id: ").unwrap().parse().unwrap();
    let chat = asking(&session, "@@ask Which? | A").await;
    session.post("interrupt", json!({})).await.unwrap();
    chat.rest().await.unwrap();
    let missed = read(&api, Some(place), 2).await;
    assert_eq!(
        missed.iter().map(Frame::kind).collect::<Vec<_>>(),
        ["approval_requested", "approval_settled"]
    );
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_place_must_be_one_of_the_stream_s() {
    let system = system().await;
    let api = system.api("mine").described();
    for bad in ["x", "-1", "1.1", ""] {
        let answer = api.get(&format!("/api/approvals/stream?after={bad}")).await.unwrap();
        assert_eq!(refusal(&answer), (400, "invalid_cursor"), "{bad:?}");
    }
    let future = api.get("/api/approvals/stream?after=9999").await.unwrap();
    assert_eq!(refusal(&future), (400, "cursor_in_future"));
    system.stop().await.unwrap();
}

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn the_stream_goes_on_after_a_kill_of_the_server() {
    Installation::with(Plan::on(Provider::Process), async |installation| {
        let api = installation.api("key");
        let (one, two) = (scripted(&api).await, scripted(&api).await);
        let expected = ask_and_settle(&api, &one, &two).await;
        let all = read(&api, Some(0), expected.len()).await;
        let waits = asking(&two, "@@ask Which? | A").await;
        installation.kill().await?;
        drop(waits);
        installation.start().await?;
        installation.adopted().await?;
        let mut again = read(&api, Some(0), expected.len() + 1).await;
        let asked = again.pop().unwrap();
        assert_eq!(again, all);
        assert_eq!(
            (asked.kind(), &asked.data["approval"]["status"]),
            ("approval_requested", &json!("pending"))
        );
        cut_everywhere(&api, &[all, vec![asked]].concat()).await;
        Ok(())
    })
    .await
    .unwrap();
}
