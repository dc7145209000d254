//! What nobody answers in time, and what is answered by another run of the server.

use super::*;

const TOUCH: &str = "@@permission Bash {\"command\": \"touch x\"}\n@@say done";

#[tokio::test]
async fn what_nobody_answers_in_time_is_denied_and_the_model_is_told_why() {
    let system = system().await;
    let api = system.api("key");
    let config = json!({ "driver": "scripted", "approvals": { "timeout": 1 } });
    let session = api.launch(config).await.unwrap();
    let mut chat = session.chat(TOUCH).await.unwrap();
    let asked = chat.until("permission_requested").await.unwrap().id.unwrap();
    let expired = chat.until("request_answered").await.unwrap().data["data"].clone();
    assert_eq!((&expired["by"], &expired["decision"]), (&json!("timeout"), &json!("deny")));
    let result = chat.until("tool_complete").await.unwrap();
    assert!(
        result.data["data"]["output"].as_str().unwrap().contains("Nobody answered within 1 s"),
        "{result:?}"
    );
    let frames = chat.rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["status"], "success", "the turn goes on");
    let path = format!("/api/approvals/{}.{asked}", session.id);
    assert_eq!(api.get(&path).await.unwrap().body["status"], "expired");
    let late = api.post(&path, json!({ "decision": "allow" })).await.unwrap();
    assert_eq!(refusal(&late), (410, "approval_expired"));
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_configuration_may_have_the_turn_end_when_nobody_answers() {
    let system = System::start_with(Provider::Memory, &["--approval-timeout=1"]).await.unwrap();
    let config = json!({ "driver": "scripted", "approvals": { "on_timeout": "interrupt" } });
    let session = system.api("key").launch(config).await.unwrap();
    let frames = session.chat(TOUCH).await.unwrap().rest().await.unwrap();
    assert_eq!(frames.last().unwrap().data["status"], "interrupted", "{frames:#?}");
    system.stop().await.unwrap();
}

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn what_was_asked_is_answered_after_the_server_was_killed_and_what_expired_meanwhile_is_denied() {
    Installation::with(Plan::on(Provider::Process), async |installation| {
        let api = installation.api("key");
        let session = scripted(&api).await;
        drop(asking(&session, TOUCH).await);
        let brief = api.launch(json!({ "driver": "scripted", "approvals": { "timeout": 5 } })).await?;
        drop(asking(&brief, TOUCH).await);
        let before = pending(&api).await;
        installation.kill().await?;
        installation.start().await?;
        let waits =
            pending(&api).await.into_iter().find(|approval| approval["session_id"] == session.id.as_str());
        assert_eq!(waits.as_ref(), before.first());

        let allow = json!({ "decision": "allow", "input": { "command": "touch z" } });
        let allowed = api.post(&path(&before[0]), allow.clone()).await?;
        assert_eq!(
            (allowed.status, &allowed.body["status"]),
            (StatusCode::OK, &json!("allowed")),
            "{}",
            allowed.body
        );
        let mut events = session.events(0).await?;
        let result = events.until("tool_result").await?;
        assert_eq!(result.data["content"], "done with {\"command\":\"touch z\"}");

        let mut events = brief.events(0).await?;
        let expired = events.until("request_answered").await?;
        assert_eq!(expired.data["by"], "timeout", "{expired:?}");
        events.until("turn_ended").await?;
        assert_eq!(refusal(&api.post(&path(&before[1]), allow.clone()).await?), (410, "approval_expired"));

        installation.kill().await?;
        installation.start().await?;
        let again = api.post(&path(&before[0]), allow).await?;
        assert_eq!((again.status, &again.body), (StatusCode::OK, &allowed.body), "also of an earlier run");
        Ok(())
    })
    .await
    .unwrap();
}
