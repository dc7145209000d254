//! Repositories that were made to do harm to whoever looks at them.

use std::os::unix::fs::PermissionsExt;

use agcluster_protocol::workspace::git::{Diff, Repositories, Status};
use serde_json::json;

use super::*;

/// A program that leaves a mark when it is run.
fn trap(ground: &Ground) -> String {
    let (trap, mark) = (ground.path("trap.sh"), ground.path("sprung"));
    std::fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", mark.display())).unwrap();
    std::fs::set_permissions(&trap, std::fs::Permissions::from_mode(0o755)).unwrap();
    trap.display().to_string()
}

fn sprung(ground: &Ground) -> String {
    std::fs::read_to_string(ground.path("sprung")).unwrap_or_default()
}

#[tokio::test]
async fn looking_at_a_repository_runs_nothing_of_its_choice() {
    let ground = Ground::with_repository();
    let trap = trap(&ground);
    let set = |key: &str| ground.git("repo", &["config", key, &trap]);
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "core.alternateRefsCommand",
        "credential.helper",
        "diff.external",
        "diff.bad.command",
        "diff.bad.textconv",
        "filter.bad.clean",
        "filter.bad.smudge",
        "filter.bad.process",
        "filter.b.a d.clean",
        "gpg.program",
        "pager.log",
        "pager.diff",
    ] {
        set(key);
    }
    for (key, value) in
        [("log.showSignature", "true"), ("filter.bad.required", "true"), ("diff.noprefix", "true")]
    {
        ground.git("repo", &["config", key, value]);
    }
    ground.write("repo/.gitattributes", "*.txt diff=bad filter=bad\n*.md filter=\"b.a d\"\n");
    ground.write("repo/a.txt", "changed\n");
    ground.write("repo/b.md", "new\n");
    let hooks = ground.path("repo/.git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-index-change",
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "reference-transaction",
    ] {
        std::fs::copy(&trap, hooks.join(hook)).unwrap();
    }
    let status: Status = ground.get("/git/status?path=repo").await.read();
    assert_eq!(status.files.len(), 3);
    for query in ["", "&staged=true", "&base=HEAD&head=HEAD", "&base=HEAD"] {
        let _: Diff = ground.get(&format!("/git/diff?path=repo{query}")).await.read();
    }
    for route in ["/git/log?path=repo", "/git/branches?path=repo", "/git/repositories"] {
        assert_eq!(ground.get(route).await.status, StatusCode::OK);
    }
    assert_eq!(sprung(&ground), "");
    // A change runs the filters that the agent has set up, as its own commands do, but no hook.
    ground.git("repo", &["config", "--unset", "filter.bad.process"]);
    let branch = json!({"path": "repo", "action": "create", "name": "x", "switch": true});
    assert_eq!(ground.post("/git/branch", branch).await.status, StatusCode::OK);
    let commit = json!({"path": "repo", "message": "m", "paths": ["b.md"]});
    assert_eq!(ground.post("/git/commit", commit).await.status, StatusCode::OK);
    assert!(!sprung(&ground).contains("hooks/"), "{}", sprung(&ground));
}

#[tokio::test]
async fn names_that_are_made_to_mislead_are_told_as_they_are() {
    let ground = Ground::with_repository();
    let names = [
        "-rf",
        "--output=x",
        "a b",
        "new\nline",
        "tab\there",
        "quo\"te",
        "back\\slash",
        "üñí",
        "x\ndiff --git a/p b/p",
    ];
    for name in names {
        ground.write(&format!("repo/{name}"), "before\n");
    }
    ground.git("repo", &["add", "--all"]);
    ground.git("repo", &["commit", "--quiet", "--message=names"]);
    for name in names {
        ground.write(&format!("repo/{name}"), "after\n");
    }
    let diff: Diff = ground.get("/git/diff?path=repo").await.read();
    let mut told: Vec<&str> = diff.files.iter().filter_map(|file| file.new_path.as_deref()).collect();
    let mut expected = names.to_vec();
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
    for file in &diff.files {
        assert_eq!((file.additions, file.deletions, file.hunks.len()), (1, 1, 1), "{file:?}");
    }
    let status: Status = ground.get("/git/status?path=repo").await.read();
    assert_eq!(status.files.len(), names.len());
    let one: Diff = ground.get("/git/diff?path=repo&file=--output%3Dx").await.read();
    assert_eq!(one.files.len(), 1);
    let star: Diff = ground.get("/git/diff?path=repo&file=*").await.read();
    assert_eq!(star.files.len(), 0);
}

#[tokio::test]
async fn a_repository_that_lies_outside_is_none() {
    let (ground, outside) = (Ground::new(), Ground::with_repository());
    let elsewhere = outside.path("repo");
    std::os::unix::fs::symlink(&elsewhere, ground.path("link")).unwrap();
    ground.get("/git/status?path=link").await.refused(400, "invalid_path");
    // Its data elsewhere.
    ground.write("data/.git", format!("gitdir: {}\n", elsewhere.join(".git").display()));
    ground.get("/git/status?path=data").await.refused(400, "invalid_path");
    std::fs::create_dir(ground.path("linked")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join(".git"), ground.path("linked/.git")).unwrap();
    ground.get("/git/status?path=linked").await.refused(400, "invalid_path");
    // Its files elsewhere.
    ground.make_repository("files");
    ground.git("files", &["config", "core.worktree", &elsewhere.display().to_string()]);
    ground.get("/git/diff?path=files").await.refused(400, "invalid_path");
    // What git shares between working trees elsewhere.
    ground.make_repository("shared");
    ground.write("shared/.git/commondir", elsewhere.join(".git").display().to_string());
    ground.get("/git/log?path=shared").await.refused(400, "invalid_path");
    let found: Repositories = ground.get("/git/repositories").await.read();
    let paths: Vec<&str> =
        found.repositories.iter().map(|repository| repository.relative_path.as_str()).collect();
    assert_eq!(paths, ["files", "shared"]);
}

#[tokio::test]
async fn a_bare_repository_in_another_ones_files_is_not_used() {
    let ground = Ground::with_repository();
    let trap = trap(&ground);
    ground.git("repo", &["init", "--quiet", "--bare", "bare"]);
    ground.git("repo/bare", &["config", "core.fsmonitor", &trap]);
    ground.git("repo/bare", &["config", "core.worktree", ".."]);
    ground.get("/git/status?path=repo/bare").await.refused(404, "git_not_a_repository");
    assert_eq!(sprung(&ground), "");
}

#[tokio::test]
async fn a_huge_difference_is_cut_and_says_so() {
    let ground = Ground::with_repository();
    ground.write("repo/long-lines", "x\n");
    ground.write("repo/many-lines", "x\n");
    ground.git("repo", &["add", "--all"]);
    ground.git("repo", &["commit", "--quiet", "--message=big"]);
    ground.write("repo/long-lines", format!("{}\n", "y".repeat(8 << 20)));
    ground.write("repo/many-lines", "line\n".repeat(1_000_000));
    ground.write("repo/a.txt", "small\n");
    ground.write("repo/untracked", "z\n".repeat(2_000_000));
    for number in 0..40 {
        ground.write(&format!("repo/part-{number}"), "p\n".repeat(20_000));
    }
    let answer = ground.get("/git/diff?path=repo").await;
    assert!(answer.body.len() < 4 << 20, "{}", answer.body.len());
    let diff: Diff = answer.read();
    assert!(diff.truncated);
    assert_eq!(diff.files.len(), 44);
    let file = |name: &str| diff.files.iter().find(|file| file.new_path.as_deref() == Some(name)).unwrap();
    assert!(!file("a.txt").truncated && file("a.txt").hunks.len() == 1);
    assert!(file("long-lines").truncated && file("many-lines").truncated && file("untracked").truncated);
    assert_eq!((file("many-lines").additions, file("many-lines").deletions), (1_000_000, 1));
}

#[tokio::test]
async fn a_pipe_in_the_working_tree_holds_nobody_up() {
    let ground = Ground::with_repository();
    let made = std::process::Command::new("mkfifo").arg(ground.path("repo/pipe")).status().unwrap();
    assert!(made.success());
    let diff: Diff = ground.get("/git/diff?path=repo").await.read();
    assert_eq!(diff.files.len(), 0, "{diff:?}");
    // In place of a file that git follows: git says what is wrong.
    std::fs::rename(ground.path("repo/pipe"), ground.path("repo/a.txt")).unwrap();
    let detail = ground.get("/git/diff?path=repo").await.refused(422, "git_failed");
    assert!(detail.contains("a.txt"), "{detail}");
}
