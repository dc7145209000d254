//! What outlives a container, and a server.

use agcluster_tests::system::{Installation, Plan};

use super::*;

#[tokio::test]
async fn a_session_is_restarted_with_its_conversation() {
    let system = system().await;
    let (api, other) = (system.api("key").described(), system.api("yours"));
    let session = scripted(&api).await;
    session.ask("remember me").await.unwrap();
    let before = session.get().await.unwrap().body;
    assert_eq!((&before["attached"], &before["credentials_required"]), (&json!(true), &Value::Null));
    assert!(before["conversation"].is_string(), "{before}");
    let theirs = other.session(&session.id).post("restart", json!({})).await.unwrap();
    assert_eq!(refusal(&theirs), (404, "session_not_found"));

    let path = format!("/api/agents/sessions/{}/restart", session.id);
    let after = api.send(api.request(Method::POST, &path)).await.unwrap();
    assert_eq!((after.status, &after.body["status"]), (StatusCode::OK, &json!("running")), "{}", after.body);
    assert_eq!(after.body["generation"], before["generation"].as_u64().unwrap() + 1);
    assert_eq!(after.body["conversation"], before["conversation"]);
    let warnings = session.get().await.unwrap().body["warnings"].clone();
    assert!(!warnings.as_array().unwrap().is_empty());
    assert_eq!(warnings, before["warnings"], "nothing is said twice");
    let recalled = session.ask("@@recall").await.unwrap();
    assert!(recalled.body["content"].as_str().unwrap().contains("remember me"), "{}", recalled.body);

    let wrong = session.post("restart", json!({ "mcp_env": 3 })).await.unwrap();
    assert_eq!(refusal(&wrong), (422, "invalid_request"));
    let unknown =
        session.post("restart", json!({ "mcp_env": { "github": { "TOKEN": "x" } } })).await.unwrap();
    assert_eq!(refusal(&unknown), (404, "config_not_found"), "an inline configuration is kept nowhere");
    system.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_works_says_so_and_how_far_it_is() {
    let system = system().await;
    let ready = system.api("key").described().get("/ready").await.unwrap();
    assert_eq!((ready.status, &ready.body["status"]), (StatusCode::OK, &json!("ready")));
    assert_eq!(ready.body["adoption"], json!({ "found": 0, "settled": 0 }));
    system.stop().await.unwrap();
}

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn jobs_keys_and_streams_go_on_after_the_server_was_killed() {
    let config = "id: tools\nname: Tools\ndriver: scripted\nmcp_servers:\n  github:\n    command: npx\n    env:\n      TOKEN: ${TOKEN}\n";
    Installation::with(Plan::on(Provider::Process), async |installation| {
        let api = installation.api("key").described();
        let launch = async |api: &Api| {
            let request = api.request(Method::POST, "/api/agents/launch").header("idempotency-key", "launch");
            api.send(request.json(&json!({ "api_key": "key", "config": { "driver": "scripted" } })))
                .await
                .unwrap()
        };
        let launched = launch(&api).await;
        let session = api.session(launched.body["session_id"].as_str().unwrap());
        let first = job(&api, &session, "@@say before\n@@gate go\n@@say after").await;
        let second = job(&api, &session, "@@say queued").await;
        let mut stream = session.events(0).await?;
        stream.until("text").await?;
        let seen = stream.until("question_asked").await?.id.unwrap();

        std::fs::write(installation.path("agents").join("tools.yaml"), config)?;
        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        assert_eq!(launch(&api).await.body["session_id"], session.id.as_str());
        let status =
            async |job: &str| api.get(&format!("/api/jobs/{job}")).await.unwrap().body["status"].clone();
        assert_eq!((status(&first).await, status(&second).await), (json!("running"), json!("queued")));
        open_gate(&session, "go").await;
        let (_, rest) = text(&api, &format!("/api/jobs/{first}/stream?after={seen}")).await;
        assert!(rest.contains("after") && !rest.contains("before"), "{rest}");
        assert_eq!(result_of(&api, &second).await, "queued");

        let request = json!({ "config_id": "tools", "mcp_env": { "github": { "TOKEN": "hidden" } } });
        let tools = api.launch_with(request.clone()).await?;
        installation.kill().await?;
        installation.start().await?;
        installation.adopted().await?;
        let refused = tools.post("restart", json!({})).await?;
        assert_eq!(refusal(&refused), (409, "credentials_required"));
        assert!(refused.body["detail"].as_str().unwrap().contains("github"), "{}", refused.body);
        let brought = tools.post("restart", json!({ "mcp_env": request["mcp_env"] })).await?;
        assert_eq!(
            (brought.status, &brought.body["generation"]),
            (StatusCode::OK, &json!(2)),
            "{}",
            brought.body
        );
        assert!(!brought.body.to_string().contains("hidden"));
        Ok(())
    })
    .await
    .unwrap();
}
