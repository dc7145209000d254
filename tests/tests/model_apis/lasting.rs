//! What outlives a server, and what must not.

use agcluster_tests::system::{Chat, Installation, Plan};
use futures::StreamExt;

use super::*;

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn after_a_kill_conversations_go_on_and_sessions_for_one_answer_are_gone() {
    Installation::with(Plan::on(Provider::Process), async |installation| {
        std::fs::write(installation.path("agents").join("scripted.yaml"), SCRIPTED)?;
        installation.kill().await?;
        installation.start().await?;
        let api = installation.api("key");
        let named = [("x-conversation-id", "c-1")];
        let first = send(&api, CHAT, &named, ask("@@say remember")).await;
        assert_eq!(said(&first), "remember");
        let mut body = json!({ "model": "scripted", "input": "@@say remember" });
        let response = send(&api, "/v1/responses", &[], body.clone()).await;
        let mut throw_away = ask("@@say begun\n@@hang");
        throw_away["stream"] = true.into();
        let mut stream = post(&api, CHAT, &[], &throw_away).send().await?.bytes_stream();
        let mut seen = String::new();
        while !seen.contains("begun") {
            seen.push_str(std::str::from_utf8(&stream.next().await.unwrap()?)?);
        }
        assert_eq!(sessions(&api).await.len(), 3);

        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        let left: Vec<Value> =
            sessions(&api).await.iter().map(|session| session["session_id"].clone()).collect();
        assert_eq!(left, [session_of(&first), session_of(&response)]);
        let again = send(&api, CHAT, &named, ask("@@recall")).await;
        assert!(said(&again).contains("@@say remember"), "{}", again.body);
        assert_eq!(session_of(&again), session_of(&first));
        body["input"] = "@@recall".into();
        body["previous_response_id"] = response.body["id"].clone();
        let again = send(&api, "/v1/responses", &[], body).await;
        assert!(again.body["output"].to_string().contains("@@say remember"), "{}", again.body);
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_answer_that_broke_off_goes_on_as_its_job() {
    let system = system().await;
    let api = system.api("key");
    let mut body = ask("@@say begun\n@@gate go\n@@say the end");
    body["stream"] = true.into();
    let broken = post(&api, CHAT, &[("x-conversation-id", "c-1")], &body).send().await.unwrap();
    let header = |name: &str| broken.headers()[name].to_str().unwrap().to_owned();
    let (job, session) = (header("x-turn-id"), api.session(&header("x-session-id")));
    drop(broken);
    let mut events = session.events(0).await.unwrap();
    let asked = events.until("question_asked").await.unwrap().id.unwrap();
    let answer = json!({ "request_id": "go", "decision": "answers", "answers": {} });
    assert_eq!(session.post("answer", answer).await.unwrap().status, StatusCode::OK);
    let path = format!("/api/jobs/{job}/stream?after={asked}");
    let mut rest = Chat::new(api.request(Method::GET, &path).send().await.unwrap());
    assert_eq!(rest.until("text").await.unwrap().data["text"], "the end");
    assert_eq!(rest.until("turn_ended").await.unwrap().data["outcome"], "completed");
    system.stop().await.unwrap();
}
