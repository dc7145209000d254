//! Repositories, status, log: what is seen of ordinary ones.

use agcluster_protocol::workspace::git::{Branches, Change, Log, Repositories, Status};

use super::*;

#[tokio::test]
async fn repositories_are_found_with_worktrees_and_submodules() {
    let ground = Ground::with_repository();
    ground.make_repository("deep/er/lib");
    ground.git("repo", &["worktree", "add", "--quiet", "-b", "side", "../side"]);
    let library = ground.path("deep/er/lib").display().to_string();
    ground.git("repo", &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &library, "sub"]);
    ground.git("repo", &["commit", "--quiet", "--message=sub"]);
    ground.git("deep/er/lib", &["checkout", "--quiet", "--detach"]);
    let found: Repositories = ground.get("/git/repositories").await.read();
    let told: Vec<_> = found
        .repositories
        .iter()
        .map(|repository| {
            let kind = (repository.is_worktree, repository.is_submodule);
            (repository.path.as_str(), repository.branch.as_deref(), kind, repository.root.as_str())
        })
        .collect();
    let expected = [
        ("/workspace/deep/er/lib", None, (false, false), "/workspace/deep/er/lib"),
        ("/workspace/repo", Some("main"), (false, false), "/workspace/repo"),
        ("/workspace/repo/sub", Some("main"), (false, true), "/workspace/repo/sub"),
        ("/workspace/side", Some("side"), (true, false), "/workspace/repo"),
    ];
    assert_eq!(told, expected);
    assert_eq!((found.count, found.truncated), (4, false));
    let status: Status = ground.get("/git/status?path=side").await.read();
    assert_eq!((status.branch.as_deref(), status.clean), (Some("side"), true));
}

#[tokio::test]
async fn a_status_tells_each_kind_of_change() {
    let ground = Ground::with_repository();
    for name in ["gone", "moved", "changed", "kind"] {
        ground.write(&format!("repo/{name}"), format!("{name}\nis\nhere\n"));
    }
    ground.git("repo", &["add", "--all"]);
    ground.git("repo", &["commit", "--quiet", "--message=more"]);
    std::fs::remove_file(ground.path("repo/gone")).unwrap();
    ground.git("repo", &["mv", "moved", "else where"]);
    ground.write("repo/changed", "other\n");
    ground.git("repo", &["add", "changed"]);
    ground.write("repo/changed", "again\n");
    std::fs::remove_file(ground.path("repo/kind")).unwrap();
    std::os::unix::fs::symlink("a.txt", ground.path("repo/kind")).unwrap();
    ground.write("repo/new\n\"file", "");
    let status: Status = ground.get("/git/status?path=/workspace/repo").await.read();
    let told: Vec<_> = status
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.original_path.as_deref(), file.index, file.worktree))
        .collect();
    use Change::{Deleted, Modified, Renamed, Typechange, Unmodified, Untracked};
    let expected = [
        ("changed", None, Modified, Modified),
        ("else where", Some("moved"), Renamed, Unmodified),
        ("gone", None, Unmodified, Deleted),
        ("kind", None, Unmodified, Typechange),
        ("new\n\"file", None, Untracked, Untracked),
    ];
    assert_eq!(told, expected);
    assert_eq!((status.clean, status.branch.as_deref()), (false, Some("main")));
    assert_eq!(status.commit.unwrap(), ground.git("repo", &["rev-parse", "HEAD"]));
}

#[tokio::test]
async fn a_folder_in_a_repository_stands_for_it_and_one_outside_is_refused() {
    let ground = Ground::with_repository();
    ground.write("repo/src/x.rs", "");
    ground.write("plain/file", "");
    let status: Status = ground.get("/git/status?path=repo/src").await.read();
    assert_eq!((status.repo_path.as_str(), status.relative_path.as_str()), ("/workspace/repo", "repo"));
    let detail = ground.get("/git/status?path=plain").await.refused(404, "git_not_a_repository");
    assert!(detail.contains("/git/repositories"), "{detail}");
    ground.get("/git/status").await.refused(404, "git_not_a_repository");
    ground.get("/git/status?path=missing").await.refused(404, "file_not_found");
    ground.get("/git/status?path=plain/file").await.refused(409, "wrong_file_type");
    for path in ["..", "/etc", "repo/../..", "%00"] {
        ground.get(&format!("/git/status?path={path}")).await.refused(400, "invalid_path");
    }
    ground.get("/git/diff?path=repo&context=many").await.refused(400, "invalid_request");
}

#[tokio::test]
async fn a_workspace_inside_a_repository_is_not_in_it() {
    let outer = Ground::with_repository();
    std::fs::create_dir(outer.path("repo/inner")).unwrap();
    let router = router(WorkspaceConfig::new(outer.path("repo/inner")));
    let inner = Ground { router, folder: tempfile::tempdir().unwrap() };
    inner.get("/git/status").await.refused(404, "git_not_a_repository");
}

#[tokio::test]
async fn a_log_is_read_page_by_page() {
    let ground = Ground::with_repository();
    for number in 1..=6 {
        ground.write("repo/a.txt", format!("{number}\n"));
        let message = format!("--message=number {number}\n\nbody\nof it");
        ground.git("repo", &["commit", "--quiet", "--all", &message]);
    }
    ground.git("repo", &["tag", "v1", "HEAD~1"]);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page: Log = ground.get(&format!("/git/log?path=repo&limit=3{after}")).await.read();
        // What is committed meanwhile does not shift the pages.
        ground.git("repo", &["commit", "--quiet", "--allow-empty", "--message=late"]);
        seen.extend(page.commits);
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let subjects: Vec<&str> = seen.iter().map(|commit| commit.subject.as_str()).collect();
    assert_eq!(subjects, ["number 6", "number 5", "number 4", "number 3", "number 2", "number 1", "first"]);
    assert_eq!((seen[0].body.as_str(), &seen[0].parents[0]), ("body\nof it", &seen[1].hash));
    assert_eq!(
        (seen[1].refs.as_slice(), seen[1].author.name.as_str()),
        (["tag: v1".to_owned()].as_slice(), "Ada")
    );
    let only: Log = ground.get("/git/log?path=repo&ref=v1&file=a.txt&limit=1").await.read();
    assert_eq!(only.commits[0].subject, "number 5");
    ground.get("/git/log?path=repo&limit=0").await.refused(400, "invalid_request");
    ground.get("/git/log?path=repo&after=HEAD.0").await.refused(400, "invalid_request");
    ground.get("/git/log?path=repo&ref=nowhere").await.refused(404, "git_ref_not_found");
    ground.get("/git/log?path=repo&ref=--output=x").await.refused(404, "git_ref_not_found");
    assert!(!ground.path("repo/x").exists());
}

#[tokio::test]
async fn a_new_repository_has_no_commits_and_no_branches() {
    let ground = Ground::new();
    std::fs::create_dir(ground.path("empty")).unwrap();
    ground.git("empty", &["init", "--quiet", "--initial-branch=main"]);
    let log: Log = ground.get("/git/log?path=empty").await.read();
    assert_eq!((log.commits.len(), log.next), (0, None));
    let branches: Branches = ground.get("/git/branches?path=empty").await.read();
    assert_eq!((branches.branches.len(), branches.current.as_deref()), (0, Some("main")));
    let status: Status = ground.get("/git/status?path=empty").await.read();
    assert_eq!((status.commit, status.clean), (None, true));
}
