//! What waits for an answer, and what becomes of it.

use std::sync::Arc;

use agcluster_core::protocol::{Decision, EventBody, PromptBlock, Scope};
use agcluster_core::session::{ApprovalStatus, Session as CoreSession, SessionId, TurnRequest, WhenBusy};
use futures::StreamExt;

use super::*;

const TOUCH: &str = "@@permission Bash {\"command\": \"touch x\"}\n@@say done";

#[tokio::test]
async fn what_all_sessions_of_a_caller_ask_is_in_one_list_and_nobody_else_s() {
    let system = system().await;
    let (api, other) = (system.api("mine"), system.api("yours"));
    let (one, two, theirs) = (scripted(&api).await, scripted(&api).await, scripted(&other).await);
    assert_eq!(pending(&api).await, [] as [Value; 0]);
    let _tool = asking(&one, TOUCH).await;
    let _question = asking(&two, "@@ask Which colour? | Red | Blue").await;
    let _not_mine = asking(&theirs, TOUCH).await;

    let mine = pending(&api).await;
    assert_eq!(mine.len(), 2, "{mine:#?}");
    let (tool, question) = (&mine[0], &mine[1]);
    assert_eq!((&tool["kind"], &tool["tool"]), (&json!("tool"), &json!("Bash")));
    assert_eq!(tool["session_id"], one.id.as_str());
    assert_eq!(tool["input"], json!({ "command": "touch x" }));
    assert_eq!((&tool["status"], &tool["answer"]), (&json!("pending"), &Value::Null));
    assert!(
        tool["turn_id"].is_string() && tool["since"].is_string() && tool["expires_at"].is_string(),
        "{tool}"
    );
    assert_eq!(
        (&question["kind"], &question["questions"][0]["question"]),
        (&json!("question"), &json!("Which colour?"))
    );
    assert_eq!(api.get(&path(tool)).await.unwrap().body, *tool);
    let of_two = api.get(&format!("/api/approvals?session_id={}", two.id)).await.unwrap();
    assert_eq!(of_two.body["approvals"], json!([question]));

    let allow = json!({ "decision": "allow" });
    let stolen = other.post(&path(tool), allow.clone()).await.unwrap();
    assert_eq!(refusal(&stolen), (404, "approval_not_found"));
    assert_eq!(refusal(&other.get(&path(tool)).await.unwrap()), (404, "approval_not_found"));
    let of_theirs = api.get(&format!("/api/approvals?session_id={}", theirs.id)).await.unwrap();
    assert_eq!(refusal(&of_theirs), (404, "session_not_found"));
    let nobody = reqwest::Client::new().get(api.url("/api/approvals")).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_answer_counts_once_and_may_be_repeated_but_not_changed() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut chat = asking(&session, TOUCH).await;
    let approval = pending(&api).await.remove(0);
    let allow = json!({ "decision": "allow", "input": { "command": "touch y" }, "scope": "session", "reason": "y is free" });
    let first = api.post(&path(&approval), allow.clone()).await.unwrap();
    assert_eq!((first.status, &first.body["status"]), (StatusCode::OK, &json!("allowed")), "{}", first.body);
    let answer = &first.body["answer"];
    assert_eq!((&answer["by"], &answer["reason"]), (&json!("owner"), &json!("y is free")));
    assert_eq!((&answer["scope"], &answer["input"]["command"]), (&json!("session"), &json!("touch y")));
    let decided = chat.until("request_answered").await.unwrap();
    assert_eq!(decided.data["data"]["decision"], "allow");
    chat.until("request_resolved").await.unwrap();
    let result = chat.until("tool_complete").await.unwrap();
    assert_eq!(result.data["data"]["output"], "done with {\"command\":\"touch y\"}");
    chat.rest().await.unwrap();

    let again = api.post(&path(&approval), allow).await.unwrap();
    assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
    let other = api.post(&path(&approval), json!({ "decision": "deny", "reason": "no" })).await.unwrap();
    assert_eq!(refusal(&other), (409, "approval_answered"));
    let detail = other.body["detail"].as_str().unwrap();
    assert!(detail.contains("allowed for the session with another input by its owner"), "{detail}");
    assert_eq!(pending(&api).await, [] as [Value; 0]);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_older_way_to_answer_obeys_the_same_rules() {
    let system = system().await;
    let (api, other) = (system.api("mine"), system.api("yours"));
    let session = scripted(&api).await;
    let mut chat = asking(&session, TOUCH).await;
    let approval = pending(&api).await.remove(0);
    let answer = |decision: &str| json!({ "request_id": approval["request_id"], "decision": decision });
    let stolen = other.session(&session.id).post("answer", answer("allow")).await.unwrap();
    assert_eq!(refusal(&stolen), (404, "session_not_found"));
    let mut unknown = answer("allow");
    unknown["request_id"] = "none".into();
    assert_eq!(refusal(&session.post("answer", unknown).await.unwrap()), (404, "request_not_found"));
    assert_eq!(pending(&api).await.len(), 1);
    let denied = session.post("answer", answer("deny")).await.unwrap();
    assert_eq!((denied.status, &denied.body["status"]), (StatusCode::OK, &json!("success")));
    let either = api.post(&path(&approval), json!({ "decision": "allow" })).await.unwrap();
    assert_eq!(refusal(&either), (409, "approval_answered"));
    let same = api.post(&path(&approval), json!({ "decision": "deny" })).await.unwrap();
    assert_eq!((same.status, &same.body["status"]), (StatusCode::OK, &json!("denied")));
    chat.until("request_resolved").await.unwrap();
    // By this name alone, a request that is settled is not found again.
    assert_eq!(refusal(&session.post("answer", answer("deny")).await.unwrap()), (404, "request_not_found"));
    assert_eq!(chat.until("tool_complete").await.unwrap().data["data"]["is_error"], true);
    chat.rest().await.unwrap();
    system.stop().await.unwrap();
}

/// Asks, and answers at the moment in which it is told what is asked: without the time that a way over the network takes.
async fn answer_at_once(session: Arc<CoreSession>) {
    let mut events = session.events(session.head().await.unwrap()).await.unwrap();
    let prompt = vec![PromptBlock::text(TOUCH)];
    let turn = TurnRequest { prompt, when_busy: WhenBusy::Refuse, background: true, idempotency: None };
    drop(session.begin(turn).await.unwrap());
    let asked = loop {
        let record = events.next().await.unwrap().unwrap();
        if matches!(record.event.body, EventBody::PermissionRequested(_)) {
            break record.seq();
        }
    };
    assert_eq!(session.approvals().await.unwrap().len(), 1);
    assert_eq!(session.approval(asked).await.unwrap().status, ApprovalStatus::Pending);
    let allow = Decision::Allow { input: None, scope: Scope::Once };
    session.answer_approval(asked, allow, None).await.unwrap();
    while !events.next().await.unwrap().unwrap().event.is_terminal() {}
}

#[tokio::test]
async fn what_is_asked_is_there_for_whoever_has_seen_it_asked() {
    let system = system().await;
    let id = SessionId::from_text(scripted(&system.api("key")).await.id);
    let session = system.sessions().get(&id).unwrap();
    for _ in 0..20 {
        // As a task, it has its turn between that of the journal and that of whoever waits for the journal.
        tokio::spawn(answer_at_once(Arc::clone(&session))).await.unwrap();
    }
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_model_is_told_why_it_may_not() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut chat = asking(&session, TOUCH).await;
    let approval = pending(&api).await.remove(0);
    let denied =
        api.post(&path(&approval), json!({ "decision": "deny", "reason": "not today" })).await.unwrap();
    assert_eq!(
        (denied.status, &denied.body["status"]),
        (StatusCode::OK, &json!("denied")),
        "{}",
        denied.body
    );
    let result = chat.until("tool_complete").await.unwrap();
    assert_eq!(result.data["data"]["output"], "not today");
    assert_eq!(result.data["data"]["is_error"], true);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn questions_and_plans_are_approvals_of_their_own_kind() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut chat =
        asking(&session, "@@permission ExitPlanMode {\"plan\": \"1. build\"}\n@@gate Which?\n@@say done")
            .await;
    let plan = pending(&api).await.remove(0);
    assert_eq!((&plan["kind"], &plan["input"]["plan"]), (&json!("plan"), &json!("1. build")));
    let wrong = api.post(&path(&plan), json!({ "decision": "answers", "answers": {} })).await.unwrap();
    assert_eq!(refusal(&wrong), (400, "answer_invalid"));
    let allowed = api.post(&path(&plan), json!({ "decision": "allow" })).await.unwrap();
    assert_eq!(allowed.body["status"], "allowed", "{}", allowed.body);

    chat.until("question_asked").await.unwrap();
    let question = pending(&api).await.remove(0);
    let wrong = api.post(&path(&question), json!({ "decision": "allow" })).await.unwrap();
    assert_eq!(refusal(&wrong), (400, "answer_invalid"));
    let answers = json!({ "decision": "answers", "answers": { "Which?": "this" } });
    let answered = api.post(&path(&question), answers).await.unwrap();
    assert_eq!(
        (&answered.body["status"], &answered.body["answer"]["answers"]["Which?"]),
        (&json!("answered"), &json!("this"))
    );
    let frames = chat.rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["status"], "success");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_no_answer_is_refused_with_what_to_do() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let chat = asking(&session, TOUCH).await;
    let approval = pending(&api).await.remove(0);
    let post = async |body: Value| api.post(&path(&approval), body).await.unwrap();
    assert_eq!(refusal(&post(json!({})).await), (422, "invalid_request"));
    assert_eq!(refusal(&post(json!({ "decision": "perhaps" })).await), (422, "invalid_request"));
    let forever = json!({ "decision": "allow", "scope": "forever" });
    assert_eq!(refusal(&post(forever).await), (422, "invalid_request"));
    assert_eq!(refusal(&post(json!({ "decision": "allow", "input": "rm" })).await), (400, "answer_invalid"));
    for name in [
        "x",
        "x.1",
        &session.id,
        &format!("{}.1", session.id),
        &format!("{}.01", session.id),
        &format!("{}.99999", session.id),
    ] {
        let none = api.post(&format!("/api/approvals/{name}"), json!({ "decision": "deny" })).await.unwrap();
        assert_eq!(refusal(&none), (404, "approval_not_found"), "{name}");
    }
    assert_eq!(pending(&api).await, std::slice::from_ref(&approval), "it still waits");
    session.post("interrupt", json!({})).await.unwrap();
    chat.rest().await.unwrap();
    assert_eq!(refusal(&post(json!({ "decision": "allow" })).await), (410, "approval_withdrawn"));
    assert_eq!(api.get(&path(&approval)).await.unwrap().body["status"], "withdrawn");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn of_many_answers_at_once_one_counts() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let mut chat = asking(&session, TOUCH).await;
    let approval = pending(&api).await.remove(0);
    let answers = (0..8).map(|number| {
        let decision = if number % 2 == 0 { "allow" } else { "deny" };
        let (api, path) = (api.clone(), path(&approval));
        async move { api.post(&path, json!({ "decision": decision })).await.unwrap() }
    });
    let answers = futures::future::join_all(answers).await;
    let resolved = chat.until("request_resolved").await.unwrap().data["data"]["resolution"].clone();
    let taken: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
    assert_eq!(taken.len(), 4, "{answers:#?}");
    assert!(taken.iter().all(|answer| answer.body["status"] == resolved), "{taken:#?}");
    let others = answers.iter().filter(|answer| answer.status != StatusCode::OK);
    assert!(others.map(refusal).all(|refusal| refusal == (409, "approval_answered")));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn the_stream_tells_what_waits_and_what_is_settled() {
    let system = system().await;
    let (api, other) = (system.api("mine"), system.api("yours"));
    let (session, theirs) = (scripted(&api).await, scripted(&other).await);
    let _first = asking(&session, TOUCH).await;
    let request = api.request(reqwest::Method::GET, "/api/approvals/stream");
    let mut stream = Chat::new(request.send().await.unwrap());
    let first = stream.next().await.unwrap().unwrap().data;
    assert_eq!((&first["type"], &first["approval"]["tool"]), (&json!("approval_requested"), &json!("Bash")));
    let _not_mine = asking(&theirs, TOUCH).await;
    let second = scripted(&api).await;
    let _second = asking(&second, "@@ask Which? | A").await;
    let asked = stream.next().await.unwrap().unwrap().data;
    assert_eq!(
        (&asked["type"], &asked["approval"]["session_id"]),
        (&json!("approval_requested"), &json!(second.id))
    );
    api.post(&path(&first["approval"]), json!({ "decision": "deny" })).await.unwrap();
    let settled = stream.next().await.unwrap().unwrap().data;
    assert_eq!(
        (&settled["type"], &settled["approval"]["status"]),
        (&json!("approval_settled"), &json!("denied"))
    );
    assert_eq!(settled["approval"]["id"], first["approval"]["id"]);
    second.delete().await.unwrap();
    let gone = stream.next().await.unwrap().unwrap().data;
    assert_eq!(
        (&gone["type"], &gone["approval"]["status"]),
        (&json!("approval_settled"), &json!("withdrawn"))
    );
    system.stop().await.unwrap();
}
