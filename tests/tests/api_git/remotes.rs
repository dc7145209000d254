//! Clones, fetches and pushes of a running session.

use agcluster_tests::git_host::git as plain_git;
use reqwest::Method;

use super::*;

#[tokio::test]
async fn a_change_goes_from_the_workspace_to_the_host_and_back() {
    let ground = Ground::on(Provider::Process).await;
    let bare = ground.host.make("public.git").await.unwrap();
    let (api, url) = (ground.api(), ground.url("public.git"));
    let session = api.launch_with(launch(&url, json!({}))).await.unwrap();
    let create = json!({ "path": "public", "action": "create", "name": "feature", "switch": true });
    fine(tell(&api, &session, "branch", create).await);
    // The agent's own work, so far as a scripted one can: another clone in the workspace is something new.
    let clone = json!({ "url": url, "path": "public/other", "depth": 1 });
    fine(tell(&api, &session, "clone", clone.clone()).await);
    refused(&tell(&api, &session, "clone", clone).await, 409, "file_exists");
    let commit = json!({ "path": "public", "message": "link another", "all": true });
    let made = fine(tell(&api, &session, "commit", commit).await);
    let push = json!({ "path": "public" });
    refused(&tell(&api, &session, "push", push).await, 403, "git_auth_failed");
    let without_url = json!({ "path": "public", "credentials": credentials() });
    refused(&tell(&api, &session, "push", without_url).await, 400, "git_url_invalid");
    let other_url = ground.url("other.git");
    let elsewhere = json!({ "path": "public", "url": other_url, "credentials": credentials() });
    refused(&tell(&api, &session, "push", elsewhere).await, 400, "git_url_invalid");
    let push = json!({ "path": "public", "url": url, "credentials": credentials() });
    let pushed = fine(tell(&api, &session, "push", push.clone()).await);
    assert_eq!(
        (&pushed["branch"], &pushed["commit"], &pushed["upToDate"]),
        (&json!("feature"), &made["commit"], &json!(false))
    );
    assert_eq!(plain_git(&bare, &["rev-parse", "feature"]).await.unwrap(), made["commit"].as_str().unwrap());
    assert_eq!(fine(tell(&api, &session, "push", push.clone()).await)["upToDate"], true);
    // Somebody else moves the branch on.
    let side = plain_git(&bare, &["rev-parse", "side"]).await.unwrap();
    plain_git(&bare, &["update-ref", "refs/heads/feature", &side]).await.unwrap();
    let switch = json!({ "path": "public", "action": "create", "name": "more", "switch": true });
    fine(tell(&api, &session, "branch", switch).await);
    refused(
        &tell(
            &api,
            &session,
            "push",
            json!({ "path": "public", "branch": "feature", "url": url, "credentials": credentials() }),
        )
        .await,
        409,
        "git_rejected",
    );
    let main = json!({ "path": "public", "action": "switch", "name": "main" });
    fine(tell(&api, &session, "branch", main).await);
    plain_git(&bare, &["update-ref", "refs/heads/main", &side]).await.unwrap();
    let fetched = fine(tell(&api, &session, "fetch", json!({ "path": "public" })).await);
    assert_eq!((&fetched["upstream"], &fetched["behind"]), (&json!("origin/main"), &json!(1)));
    let pulled = fine(tell(&api, &session, "pull", json!({ "path": "public" })).await);
    assert_eq!((&pulled["commit"], &pulled["behind"]), (&json!(side), &json!(0)));
    let diff = fine(git(&api, &session, "diff?path=public&base=HEAD~1&head=HEAD").await);
    assert_eq!(
        (&diff["files"][0]["newPath"], &diff["files"][0]["status"]),
        (&json!("side.txt"), &json!("added"))
    );
    for (body, code) in [
        (json!({ "path": "public", "remote": "nowhere" }), "git_ref_not_found"),
        (json!({ "path": "elsewhere" }), "file_not_found"),
    ] {
        refused(&tell(&api, &session, "fetch", body).await, 404, code);
    }
    refused(
        &tell(&api, &session, "fetch", json!({ "path": "public", "remote": "--all" })).await,
        400,
        "git_ref_invalid",
    );
    ground.stop().await;
}

#[tokio::test]
async fn a_clone_may_be_shallow_and_a_pull_moves_forward_only() {
    let ground = Ground::on(Provider::Process).await;
    let bare = ground.host.make("public.git").await.unwrap();
    let (api, url) = (ground.api(), ground.url("public.git"));
    let session = api.launch(json!({ "driver": "scripted" })).await.unwrap();
    for (path, depth) in [("shallow", Some(1)), ("whole", None)] {
        let clone = json!({ "url": url, "path": path, "depth": depth });
        fine(tell(&api, &session, "clone", clone).await);
        let log = fine(git(&api, &session, &format!("log?path={path}")).await);
        assert_eq!(log["commits"].as_array().unwrap().len(), depth.unwrap_or(2), "{log}");
    }
    let wrong = json!({ "url": url, "path": "none", "depth": 0 });
    refused(&tell(&api, &session, "clone", wrong).await, 400, "invalid_request");

    let side = plain_git(&bare, &["rev-parse", "side"]).await.unwrap();
    plain_git(&bare, &["update-ref", "refs/heads/main", &side]).await.unwrap();
    for path in ["shallow", "whole"] {
        let pulled = fine(tell(&api, &session, "pull", json!({ "path": path })).await);
        assert_eq!((&pulled["commit"], &pulled["behind"]), (&json!(side), &json!(0)), "{path}");
    }
    // Here and there something is made that the other does not have.
    let file = format!("/api/files/{}/whole/mine.txt", session.id);
    assert_eq!(api.send(api.request(Method::PUT, &file).body("mine")).await.unwrap().status, 201);
    let author = json!({ "name": "Ada", "email": "ada@example.com" });
    let commit = json!({ "path": "whole", "message": "mine", "all": true, "author": author });
    let mine = fine(tell(&api, &session, "commit", commit).await);
    let theirs =
        plain_git(&bare, &["commit-tree", "main^{tree}", "-p", "main", "-m", "theirs"]).await.unwrap();
    plain_git(&bare, &["update-ref", "refs/heads/main", &theirs]).await.unwrap();
    refused(&tell(&api, &session, "pull", json!({ "path": "whole" })).await, 409, "git_conflict");
    let status = fine(git(&api, &session, "status?path=whole").await);
    assert_eq!(
        (&status["commit"], &status["ahead"], &status["behind"], &status["clean"]),
        (&mine["commit"], &json!(1), &json!(1), &json!(true)),
        "what was here is as it was: {status}"
    );
    ground.stop().await;
}

#[tokio::test]
async fn repositories_belong_to_their_sessions_owner() {
    let ground = Ground::on(Provider::Process).await;
    let session = ground.api().launch(json!({ "driver": "scripted" })).await.unwrap();
    let other = ground.system.api("another key");
    for route in ["repositories", "status", "diff", "log", "branches"] {
        refused(&git(&other, &session, route).await, 404, "session_not_found");
    }
    for route in ["branch", "commit", "clone", "fetch", "pull", "push"] {
        let body = json!({ "url": "https://h/o/n", "message": "m", "action": "switch", "name": "x" });
        refused(&tell(&other, &session, route, body).await, 404, "session_not_found");
    }
    ground.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let ground = Ground::on(Provider::Process).await;
    let api = ground.api();
    let session = api.launch(json!({ "driver": "scripted" })).await.unwrap();
    refused(&git(&api, &session, "status").await, 404, "git_not_a_repository");
    refused(&git(&api, &session, "status?path=..").await, 400, "invalid_path");
    // A repository with a commit, and folders that are none.
    let script = "git init -q -b main repo && cd repo && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one && mkdir ../plain";
    let command = format!("/api/agents/{}/exec", session.id);
    let command = api.request(reqwest::Method::POST, &command).header("accept", "application/json");
    let made = api.send(command.json(&json!({ "command": ["sh", "-c", script] }))).await.unwrap();
    assert_eq!(made.body["exit_code"], 0, "{}", made.body);
    for route in ["status?path=plain", "log?path=plain", "branches?path=plain", "diff?path=plain"] {
        refused(&git(&api, &session, route).await, 404, "git_not_a_repository");
    }
    for route in
        ["log?path=repo&ref=nowhere", "diff?path=repo&base=nowhere", "diff?path=repo&base=main&head=nowhere"]
    {
        let answer = git(&api, &session, route).await;
        refused(&answer, 404, "git_ref_not_found");
        assert!(answer.body["detail"].as_str().unwrap().contains("nowhere"), "{route}: {}", answer.body);
    }
    for action in [
        json!({ "path": "repo", "action": "create", "name": "new", "start": "nowhere" }),
        json!({ "path": "repo", "action": "switch", "name": "nowhere" }),
        json!({ "path": "repo", "action": "delete", "name": "nowhere" }),
    ] {
        refused(&tell(&api, &session, "branch", action).await, 404, "git_ref_not_found");
    }
    let commit = json!({ "path": "plain", "message": "m" });
    refused(&tell(&api, &session, "commit", commit).await, 404, "git_not_a_repository");
    refused(&git(&api, &session, "diff?context=x").await, 400, "invalid_query");
    refused(&tell(&api, &session, "clone", json!({})).await, 422, "invalid_request");
    refused(&tell(&api, &session, "clone", json!({ "url": "file:///etc" })).await, 400, "git_url_invalid");
    refused(&tell(&api, &session, "branch", json!({ "action": "explode" })).await, 422, "invalid_request");
    ground.stop().await;
}
