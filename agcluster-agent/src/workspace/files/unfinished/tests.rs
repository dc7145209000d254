//! What is left of files that nobody finishes.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// Begins a file in a run of its own, and has the run ended.
fn left(workspace: &Path, path: &str) -> OsString {
    let (mut unfinished, _) = Unfinished::begin(&Access::new(workspace), path.into(), true, true).unwrap();
    unfinished.temporary.take().unwrap()
}

fn names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn only_whole_names_are_unfinished_files() {
    let (one, other) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
    assert!(is_unfinished(format!(".agcluster-{one}_{other}.part").as_ref()));
    for name in [
        ".agcluster-.part".to_owned(),
        ".agcluster-mine.part".to_owned(),
        format!(".agcluster-{one}.part"),
        format!(".agcluster-{one}_.part"),
        format!(".agcluster-{one}_{other}"),
        format!(".agcluster-{}_{other}.part", Uuid::new_v4()),
        format!("agcluster-{one}_{other}.part"),
    ] {
        assert!(!is_unfinished(name.as_ref()), "{name}");
    }
}

#[test]
fn what_earlier_runs_left_is_removed_and_nothing_else() {
    let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    left(workspace.path(), "a.txt");
    left(workspace.path(), "deep/down/b.txt");
    let beyond = left(outside.path(), "c.txt");
    symlink(outside.path(), workspace.path().join("link")).unwrap();
    std::fs::write(workspace.path().join(".agcluster-mine.part"), "the agent's own").unwrap();
    let access = Access::new(workspace.path());
    let (_unfinished, _file) = Unfinished::begin(&access, "d.txt".into(), true, false).unwrap();
    clear(&access, &CancellationToken::new());
    let found = names(workspace.path());
    assert_eq!(found.iter().filter(|name| is_unfinished(name)).count(), 1, "{found:?}");
    assert!(found.contains(&".agcluster-mine.part".into()), "{found:?}");
    assert_eq!(names(&workspace.path().join("deep/down")), [""; 0]);
    assert_eq!(names(outside.path()), [beyond]);
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let workspace = tempfile::tempdir().unwrap();
    let access = Access::new(workspace.path());
    let (mut unfinished, _) = Unfinished::begin(&access, "a.txt".into(), false, false).unwrap();
    assert!(!workspace.path().join("a.txt").exists());
    assert!(unfinished.finish(false).unwrap());
    assert_eq!(names(workspace.path()), ["a.txt"]);
    drop(Unfinished::begin(&access, "a.txt".into(), true, false).unwrap());
    assert_eq!(names(workspace.path()), ["a.txt"], "nothing is left of what was not finished");
}
