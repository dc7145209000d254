//! Turns that nobody waits for, that wait themselves, and that are called off.

use super::*;

#[tokio::test]
async fn a_background_turn_is_answered_at_once_and_can_be_looked_up() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let body = json!({ "message": "@@gate go\n@@say done", "background": true });
    let accepted = send(&api, &session, &[], body).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.body);
    let job = accepted.body["job_id"].as_str().unwrap();
    assert_eq!(
        (&accepted.body["status"], &accepted.body["session_id"]),
        (&json!("running"), &json!(session.id))
    );
    assert_eq!(accepted.body["stream"], format!("/api/jobs/{job}/stream"));
    assert_eq!(accepted.headers["location"], format!("/api/jobs/{job}"));
    let running = api.get(&format!("/api/jobs/{job}")).await.unwrap();
    assert_eq!((&running.body["status"], &running.body["result"]), (&json!("running"), &Value::Null));
    assert_eq!(session.get().await.unwrap().body["turn"], job);

    open_gate(&session, "go").await;
    end_of(&api, job).await;
    let done = api.get(&format!("/api/jobs/{job}")).await.unwrap().body;
    assert_eq!((&done["status"], &done["outcome"]["outcome"]), (&json!("completed"), &json!("completed")));
    assert_eq!((&done["result"], &done["background"]), (&json!("done"), &json!(true)));
    assert!(done["usage"]["total_tokens"].is_u64() && done["ended_at"].is_string(), "{done}");

    let failed = super::job(&api, &session, "@@fail model_api on fire").await;
    end_of(&api, &failed).await;
    let failed = api.get(&format!("/api/jobs/{failed}")).await.unwrap().body;
    assert_eq!((&failed["status"], &failed["outcome"]["reason"]), (&json!("failed"), &json!("model_api")));
    let limit = super::job(&api, &session, "@@limit max_turns").await;
    end_of(&api, &limit).await;
    assert_eq!(api.get(&format!("/api/jobs/{limit}")).await.unwrap().body["status"], "limit");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn what_came_of_a_job_outlives_its_events() {
    let system = System::start_with(Provider::Memory, &["--events-max-size=1m"]).await.unwrap();
    let api = system.api("key");
    let session = scripted(&api).await;
    let look = async |job: &str| api.get(&format!("/api/jobs/{job}")).await.unwrap().body;
    let done = job(&api, &session, "@@say kept").await;
    let failed = job(&api, &session, "@@say nearly\n@@fail model_api on fire").await;
    let long = job(&api, &session, &format!("@@say {}", "x".repeat(100_000))).await;
    let mut before = Vec::new();
    for job in [&done, &failed, &long] {
        end_of(&api, job).await;
        before.push(look(job).await);
    }
    assert_eq!((&before[0]["result"], &before[0]["truncated"]), (&json!("kept"), &json!(false)));
    assert_eq!((&before[1]["result"], &before[1]["status"]), (&json!("nearly"), &json!("failed")));
    assert_eq!(before[2]["result"].as_str().unwrap().len(), 100_000, "the journal still has all of it");

    // More than is kept, until the last of those events is gone.
    let path = format!("/api/jobs/{long}/stream");
    while api.request(Method::GET, &path).send().await.unwrap().status() != StatusCode::GONE {
        let many = job(&api, &session, "@@stream 20 of 65536 bytes").await;
        end_of(&api, &many).await;
    }
    assert_eq!(look(&done).await, before[0]);
    assert_eq!(look(&failed).await, before[1]);
    let cut = look(&long).await;
    assert_eq!((cut["result"].as_str().unwrap().len(), &cut["truncated"]), (65_536, &json!(true)));
    assert_eq!(cut["usage"], before[2]["usage"]);
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_queued_message_waits_for_its_turn() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let first = job(&api, &session, "@@gate go\n@@say one").await;
    let second = job(&api, &session, "@@say two").await;
    assert_eq!(api.get(&format!("/api/jobs/{second}")).await.unwrap().body["status"], "queued");
    assert_eq!(session.get().await.unwrap().body["queued"], json!([second]));
    let busy = send(&api, &session, &[], json!({ "message": "three" })).await;
    assert_eq!(
        (refusal(&busy), &busy.headers["retry-after"]),
        ((409, "session_busy"), &"1".parse().unwrap())
    );
    let third = async {
        let answer = send(&api, &session, &[], json!({ "message": "@@say three", "queue": true })).await;
        answer.body["content"].clone()
    };
    let opened = open_gate(&session, "go");
    let (third, ()) = tokio::join!(third, opened);
    assert_eq!(third, "three", "who waits gets the answer to the own message");
    assert_eq!(result_of(&api, &first).await, "one");
    assert_eq!(result_of(&api, &second).await, "two");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_job_is_cancelled_once() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let running = job(&api, &session, "@@say begun\n@@hang").await;
    let waiting = job(&api, &session, "@@say never").await;
    session.events(0).await.unwrap().until("text").await.unwrap();
    for job in [&waiting, &running] {
        let cancelled = api.post(&format!("/api/jobs/{job}/cancel"), json!({})).await.unwrap();
        assert_eq!((cancelled.status, &cancelled.body["job_id"]), (StatusCode::OK, &json!(job)));
        assert_eq!(end_of(&api, job).await["outcome"], "interrupted");
        assert_eq!(api.get(&format!("/api/jobs/{job}")).await.unwrap().body["status"], "interrupted");
        let again = api.post(&format!("/api/jobs/{job}/cancel"), json!({})).await.unwrap();
        assert_eq!(refusal(&again), (409, "job_ended"));
    }
    let (_, events) = text(&api, &format!("/api/jobs/{waiting}/stream")).await;
    assert!(!events.contains("never"), "what waited was not begun: {events}");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn an_interruption_that_comes_too_late_leaves_the_next_turn_alone() {
    let system = system().await;
    let api = system.api("key");
    let session = scripted(&api).await;
    let past = job(&api, &session, "@@say over").await;
    end_of(&api, &past).await;
    let present = job(&api, &session, "@@gate go\n@@say untouched").await;
    let late = session.post("interrupt", json!({ "turn_id": past })).await.unwrap();
    assert_eq!(refusal(&late), (409, "session_idle"));
    let late = api.post(&format!("/api/jobs/{past}/cancel"), json!({})).await.unwrap();
    assert_eq!(refusal(&late), (409, "job_ended"));
    open_gate(&session, "go").await;
    assert_eq!(result_of(&api, &present).await, "untouched");

    let named = job(&api, &session, "@@gate never").await;
    let mut events = session.events(0).await.unwrap();
    for _gate in ["go", "never"] {
        events.until("question_asked").await.unwrap();
    }
    let interrupted = session.post("interrupt", json!({ "turn_id": named })).await.unwrap();
    assert_eq!((interrupted.status, &interrupted.body["turn_id"]), (StatusCode::OK, &json!(named)));
    assert_eq!(end_of(&api, &named).await["outcome"], "interrupted");
    let wrong = session.post("interrupt", json!({ "turn_id": 7 })).await.unwrap();
    assert_eq!(refusal(&wrong), (422, "invalid_request"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_is_steered_into_the_running_turn_once() {
    let system = system().await;
    let api = system.api("key").described();
    let session = scripted(&api).await;
    let running = job(&api, &session, "@@say begun\n@@listen\n@@gate go").await;
    session.events(0).await.unwrap().until("text").await.unwrap();
    let steer = json!({ "message": "@@say steered", "steer": true, "background": true });
    for _ in 0..2 {
        let steered = send(&api, &session, &[("idempotency-key", "steer")], steer.clone()).await;
        assert_eq!((steered.status, &steered.body["job_id"]), (StatusCode::ACCEPTED, &json!(running)));
    }
    open_gate(&session, "go").await;
    end_of(&api, &running).await;
    let (_, events) = text(&api, &format!("/api/jobs/{running}/stream")).await;
    assert_eq!(events.matches("\"type\":\"prompt_added\"").count(), 1, "{events}");
    let both = send(&api, &session, &[], json!({ "message": "x", "steer": true, "queue": true })).await;
    assert_eq!(refusal(&both), (400, "queue_and_steer"));
    let alone = send(&api, &session, &[], json!({ "message": "@@say alone", "steer": true })).await;
    assert_eq!(alone.body["content"], "alone", "where nothing runs it is a turn of its own");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn jobs_are_listed_newest_first_page_by_page() {
    let system = system().await;
    let api = system.api("key").described();
    let (one, two) = (scripted(&api).await, scripted(&api).await);
    let mut jobs = Vec::new();
    for (place, session) in [&one, &two, &one, &one].into_iter().enumerate() {
        let id = job(&api, session, &format!("@@say {place}")).await;
        end_of(&api, &id).await;
        jobs.insert(0, id);
    }
    let ids = |body: &Value| -> Vec<String> {
        let jobs = body["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
    };
    let page = api.get("/api/jobs?limit=3").await.unwrap().body;
    assert_eq!((ids(&page), &page["next"]), (jobs[..3].to_vec(), &json!(jobs[2])));
    let page = api.get(&format!("/api/jobs?limit=3&before={}", jobs[2])).await.unwrap().body;
    assert_eq!((ids(&page), &page["next"]), (jobs[3..].to_vec(), &Value::Null));
    let of_two = api.get(&format!("/api/jobs?session_id={}", two.id)).await.unwrap().body;
    assert_eq!(ids(&of_two), [jobs[2].clone()]);

    for bad in ["limit=0", "limit=101", "limit=x", "limit=-1"] {
        assert_eq!(
            refusal(&api.get(&format!("/api/jobs?{bad}")).await.unwrap()),
            (400, "invalid_query"),
            "{bad}"
        );
    }
    assert_eq!(refusal(&api.get("/api/jobs?before=x").await.unwrap()), (400, "invalid_cursor"));
    let unknown = api.get("/api/jobs?session_id=conv-x").await.unwrap();
    assert_eq!(refusal(&unknown), (404, "session_not_found"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_job_that_is_unknown_or_somebody_else_s_is_not_found() {
    let system = system().await;
    let (api, other) = (system.api("mine").described(), system.api("yours"));
    let session = scripted(&api).await;
    let job = job(&api, &session, "@@say hi").await;
    end_of(&api, &job).await;
    let unknown = uuid::Uuid::now_v7().to_string();
    for (api, id) in [(&other, &*job), (&api, &*unknown), (&api, "x"), (&api, &*job.to_uppercase())] {
        for (method, route) in [(Method::GET, ""), (Method::GET, "/stream"), (Method::POST, "/cancel")] {
            let request = api.request(method, &format!("/api/jobs/{id}{route}"));
            assert_eq!(refusal(&api.send(request).await.unwrap()), (404, "job_not_found"), "{id}{route}");
        }
    }
    assert_eq!(other.get("/api/jobs").await.unwrap().body["jobs"], json!([]));
    let nobody = reqwest::get(api.url("/api/jobs")).await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    let theirs = other.get(&format!("/api/jobs?session_id={}", session.id)).await.unwrap();
    assert_eq!(refusal(&theirs), (404, "session_not_found"));
    session.delete().await.unwrap();
    assert_eq!(refusal(&api.get(&format!("/api/jobs/{job}")).await.unwrap()), (404, "job_not_found"));
    system.stop().await.unwrap();
}
