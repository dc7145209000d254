//! What outlives a server, and what must not.

use agcluster_tests::system::{Installation, Plan};
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
