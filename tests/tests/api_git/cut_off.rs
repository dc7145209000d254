//! A launch that was cut off before its repository was there.

use agcluster_tests::system::{Installation, Plan};
use anyhow::Context;

use super::*;

/// With processes of this machine, which go on while the server is dead.
#[tokio::test]
async fn a_launch_that_was_cut_off_waits_for_the_credentials_of_its_repository() {
    let host = GitHost::start(TOKEN).await.unwrap();
    host.make("private.git").await.unwrap();
    let url = host.url("127.0.0.1", "private.git");
    let plan = Plan::on(Provider::Process).with(&["--git-plain-http"]);
    Installation::with(plan, async |installation| {
        let api = installation.api("key");
        let mut held = host.hold_next();
        let launching = tokio::spawn({
            let (api, request) = (api.clone(), launch(&url, json!({ "git_credentials": credentials() })));
            async move { api.launch_with(request).await }
        });
        held.reached().await?;
        installation.kill().await?;
        assert!(launching.await?.is_err(), "nobody is there to answer");
        installation.start().await?;

        let listed = api.get("/api/agents/sessions").await?.body;
        let id = listed["sessions"][0]["session_id"].as_str().context("the session is known again")?;
        let session = api.session(id);
        let missing = session.get().await?.body["credentials_required"].clone();
        assert!(missing.as_str().is_some_and(|missing| missing.contains("git_credentials")), "{missing}");
        refused(&session.post("restart", json!({})).await?, 409, "credentials_required");
        let wrong = json!({ "git_credentials": { "token": "wrong" } });
        refused(&session.post("restart", wrong).await?, 403, "git_auth_failed");
        let brought = json!({ "git_credentials": credentials() });
        let restarted = fine(session.post("restart", brought).await?);
        assert_eq!(
            (&restarted["status"], &restarted["credentials_required"]),
            (&json!("running"), &Value::Null),
            "{restarted}"
        );
        let status = fine(git(&api, &session, "status?path=private").await);
        assert_eq!((&status["branch"], &status["clean"]), (&json!("main"), &json!(true)));
        assert_eq!(fine(session.ask("@@say it works").await?)["content"], "it works");
        assert!(!installation.log().contains(TOKEN), "the credentials are in the log");
        drop(held);
        Ok(())
    })
    .await
    .unwrap();
    host.stop().await.unwrap();
}
