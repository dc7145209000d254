//! A launch with a repository.

use super::*;

#[tokio::test]
async fn a_repository_is_there_before_the_first_turn() {
    let ground = Ground::on(Provider::Process).await;
    ground.host.make("private-tools.git").await.unwrap();
    let (api, url) = (ground.api(), ground.url("private-tools.git"));
    let request = launch(&url, json!({ "git_credentials": credentials() }));
    let session = api.launch_with(request).await.unwrap();
    assert_eq!(session.launched["repository"]["url"], url.as_str());
    let status = fine(git(&api, &session, "status?path=private-tools").await);
    assert_eq!((&status["branch"], &status["clean"]), (&json!("main"), &json!(true)));
    let found = fine(git(&api, &session, "repositories").await);
    assert_eq!(found["count"], 1, "{found}");
    assert_eq!(found["repositories"][0]["path"], "/workspace/private-tools");
    let log = fine(git(&api, &session, "log?path=private-tools&limit=1").await);
    assert_eq!(log["commits"][0]["subject"], "add src/lib.rs");
    let branch = json!({ "branch": "side", "repo_path": "deep/er", "git_credentials": credentials() });
    let other = api.launch_with(launch(&url, branch)).await.unwrap();
    let status = fine(git(&api, &other, "status?path=/workspace/deep/er").await);
    assert_eq!(status["branch"], "side");
    ground.stop().await;
}

#[tokio::test]
async fn a_repository_that_cannot_be_had_is_refused_and_leaves_nothing() {
    let ground = Ground::on(Provider::Process).await;
    ground.host.make("public.git").await.unwrap();
    ground.host.make("private.git").await.unwrap();
    let (api, url) = (ground.api(), |name: &str| ground.url(name));
    let wrong = json!({ "git_credentials": { "token": "wrong" } });
    let cases = [
        (launch(&url("private.git"), json!({})), 403, "git_auth_failed"),
        (launch(&url("private.git"), wrong), 403, "git_auth_failed"),
        (launch(&url("missing.git"), json!({})), 404, "git_repo_not_found"),
        (launch(&url("public.git"), json!({ "branch": "nowhere" })), 404, "git_ref_not_found"),
        (launch(&url("public.git"), json!({ "branch": "--upload-pack=x" })), 404, "git_ref_not_found"),
        (launch(&url("public.git"), json!({ "repo_path": "../out" })), 400, "invalid_path"),
        (launch(&url("public.git"), json!({ "repo_path": "." })), 400, "invalid_path"),
        (launch("http://127.0.0.1:9/o/n", json!({})), 502, "git_unreachable"),
        (launch("https://ada:hush@host/o/n", json!({})), 400, "git_url_invalid"),
        (launch("ssh://git@host/o/n", json!({})), 400, "git_url_invalid"),
        (launch("/etc", json!({})), 400, "git_url_invalid"),
        (json!({ "config": { "driver": "scripted" }, "branch": "main" }), 400, "repo_missing"),
    ];
    for (mut request, status, code) in cases {
        request["api_key"] = "key".into();
        refused(&api.post("/api/agents/launch", request).await.unwrap(), status, code);
    }
    assert_eq!(api.get("/api/agents/sessions").await.unwrap().body["total"], 0);
    assert_eq!(ground.system.left_behind().await.unwrap(), Vec::<String>::new());
    ground.stop().await;
}

#[tokio::test]
async fn what_is_not_encrypted_is_refused_unless_the_server_allows_it() {
    let system = System::start(Provider::Memory).await.unwrap();
    let mut request = launch("http://127.0.0.1:9/o/n", json!({}));
    request["api_key"] = "key".into();
    refused(&system.api("key").post("/api/agents/launch", request).await.unwrap(), 400, "git_url_invalid");
    system.stop().await.unwrap();
}
