//! Commits and branches.

use agcluster_protocol::workspace::git::{Branches, Committed, Status};
use serde_json::json;

use super::*;

#[tokio::test]
async fn everything_or_some_paths_or_the_index_are_committed() {
    let ground = Ground::with_repository();
    for name in ["x", "y", "-z"] {
        ground.write(&format!("repo/{name}"), name);
    }
    ground.git("repo", &["add", "--", "y"]);
    let commit = |body: Value| ground.post("/git/commit", body);
    let made: Committed =
        commit(json!({"path": "repo", "message": "some\n\nmore", "paths": ["-z"]})).await.read();
    assert_eq!(made.branch.as_deref(), Some("main"));
    assert_eq!(
        ground.git("repo", &["show", "--format=%B", "--name-only", &made.commit]),
        "some\n\nmore\n\n\n-z"
    );
    let _: Committed = commit(json!({"path": "repo", "message": "index"})).await.read();
    assert_eq!(ground.git("repo", &["show", "--format=", "--name-only"]), "y");
    let author = json!({"name": "Eve", "email": "eve@example.com"});
    let _: Committed =
        commit(json!({"path": "repo", "message": "rest", "all": true, "author": author})).await.read();
    assert_eq!(
        ground.git("repo", &["show", "--format=%an %ae %cn", "--name-only"]),
        "Eve eve@example.com Eve\n\nx"
    );
    let status: Status = ground.get("/git/status?path=repo").await.read();
    assert!(status.clean, "{status:?}");
    commit(json!({"path": "repo", "message": "again", "all": true}))
        .await
        .refused(409, "git_nothing_to_commit");
    commit(json!({"path": "repo", "message": "again"})).await.refused(409, "git_nothing_to_commit");
}

#[tokio::test]
async fn who_works_in_a_repository_is_what_its_configuration_says() {
    let ground = Ground::with_repository();
    ground.git("repo", &["config", "user.name", "Carol"]);
    ground.git("repo", &["config", "user.email", "carol@example.com"]);
    ground.write("repo/x", "x");
    let _: Committed =
        ground.post("/git/commit", json!({"path": "repo", "message": "m", "all": true})).await.read();
    assert_eq!(ground.git("repo", &["show", "--no-patch", "--format=%an %cn"]), "Carol Carol");
}

#[tokio::test]
async fn a_commit_that_makes_no_sense_is_refused() {
    let ground = Ground::with_repository();
    for (body, code) in [
        (json!({"path": "repo", "message": " \n"}), "invalid_request"),
        (json!({"path": "repo", "message": "m", "all": true, "paths": ["x"]}), "invalid_request"),
        (json!({"path": "repo", "message": "m", "paths": [""]}), "invalid_request"),
        (
            json!({"path": "repo", "message": "m", "author": {"name": "a\nb", "email": "e"}}),
            "invalid_request",
        ),
        (json!({"path": "repo"}), "invalid_request"),
        (json!({"path": "repo", "message": "m", "paths": ["../../etc/passwd"]}), "invalid_path"),
        (json!({"path": "..", "message": "m"}), "invalid_path"),
    ] {
        ground.post("/git/commit", body).await.refused(400, code);
    }
    let missing = json!({"path": "repo", "message": "m", "paths": ["missing"]});
    ground.post("/git/commit", missing).await.refused(404, "file_not_found");
}

#[tokio::test]
async fn branches_are_made_switched_to_and_removed() {
    let ground = Ground::with_repository();
    let change = |body: Value| ground.post("/git/branch", body);
    let made: Branches =
        change(json!({"path": "repo", "action": "create", "name": "feature/x", "switch": true})).await.read();
    assert_eq!(made.current.as_deref(), Some("feature/x"));
    ground.write("repo/a.txt", "other\n");
    let _: Committed =
        ground.post("/git/commit", json!({"path": "repo", "message": "on x", "all": true})).await.read();
    let named: Vec<(&str, &str)> =
        made.branches.iter().map(|branch| (branch.name.as_str(), branch.subject.as_str())).collect();
    assert_eq!(named, [("feature/x", "first"), ("main", "first")]);
    change(json!({"path": "repo", "action": "create", "name": "main"}))
        .await
        .refused(409, "git_branch_exists");
    change(json!({"path": "repo", "action": "delete", "name": "feature/x"}))
        .await
        .refused(409, "git_conflict");
    let back: Branches = change(json!({"path": "repo", "action": "switch", "name": "main"})).await.read();
    assert_eq!(back.current.as_deref(), Some("main"));
    change(json!({"path": "repo", "action": "delete", "name": "feature/x"}))
        .await
        .refused(409, "git_conflict");
    ground.write("repo/a.txt", "mine\n");
    change(json!({"path": "repo", "action": "switch", "name": "feature/x"}))
        .await
        .refused(409, "git_conflict");
    let gone: Branches =
        change(json!({"path": "repo", "action": "delete", "name": "feature/x", "force": true})).await.read();
    assert_eq!(gone.branches.len(), 1);
    change(json!({"path": "repo", "action": "switch", "name": "nowhere"}))
        .await
        .refused(404, "git_ref_not_found");
    let start = json!({"path": "repo", "action": "create", "name": "y", "start": "nowhere"});
    change(start).await.refused(404, "git_ref_not_found");
    for name in ["-d", "a..b", "a b", "", "HEAD", "x.lock", "@{-1}"] {
        let body = json!({"path": "repo", "action": "create", "name": name});
        change(body).await.refused(400, "git_ref_invalid");
    }
    change(json!({"path": "repo", "action": "explode", "name": "x"})).await.refused(400, "invalid_request");
}
