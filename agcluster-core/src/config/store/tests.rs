//! Folders that change, and folders that would lead astray.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::time::timeout;

use super::super::problem::{ConfigError, FieldProblem};
use super::*;

fn write(folder: &Path, name: &str, text: &str) {
    // Into place at once, as careful editors do.
    let draft = folder.join(format!("{name}.draft"));
    fs::write(&draft, text).unwrap();
    fs::rename(draft, folder.join(name)).unwrap();
}

fn document(id: &str, name: &str) -> String {
    format!("id: {id}\nname: {name}\n")
}

fn name_of(store: &ConfigStore, id: &str) -> Option<String> {
    store.get(id).ok().map(|config| config.name.clone())
}

fn user_ids(store: &ConfigStore) -> Vec<String> {
    let entries = store.list().into_iter().filter(|entry| entry.source == ConfigSource::Operator);
    entries.map(|entry| entry.config.id.clone()).collect()
}

/// Waits for what must become true.
async fn until(store: &ConfigStore, holds: impl Fn(&ConfigStore) -> bool) {
    let mut changes = store.changes();
    let wait = async {
        while !holds(store) {
            assert!(changes.changed().await, "the store is gone");
        }
    };
    timeout(Duration::from_secs(20), wait).await.expect("the store never showed the change");
}

/// A store whose system cannot notify.
async fn unwatched(folders: Vec<ConfigFolder>) -> ConfigStore {
    ConfigStore::start(Scanner::new(folders, None), Arc::default()).await
}

#[tokio::test]
async fn a_change_is_seen() {
    let folder = TempDir::new().unwrap();
    let store = ConfigStore::open(vec![ConfigFolder::operator(folder.path())]).await;
    assert!(store.shared.watched.load(Ordering::Relaxed));
    write(folder.path(), "mine.yaml", &document("mine", "One"));
    until(&store, |store| name_of(store, "mine").as_deref() == Some("One")).await;
    write(folder.path(), "mine.yaml", &document("mine", "Two"));
    until(&store, |store| name_of(store, "mine").as_deref() == Some("Two")).await;
    fs::write(folder.path().join("mine.yaml"), "id: mine\nname: [").unwrap();
    until(&store, |store| store.problems().len() == 1).await;
    assert!(matches!(store.get("mine"), Err(ConfigLookupError::Invalid { .. })));
    fs::remove_file(folder.path().join("mine.yaml")).unwrap();
    until(&store, |store| store.problems().is_empty()).await;
    assert!(matches!(store.get("mine"), Err(ConfigLookupError::NotFound(_))));
}

#[tokio::test]
async fn a_change_is_seen_without_notification() {
    let folder = TempDir::new().unwrap();
    let store = unwatched(vec![ConfigFolder::operator(folder.path())]).await;
    assert!(!store.shared.watched.load(Ordering::Relaxed));
    write(folder.path(), "mine.yaml", &document("mine", "One"));
    until(&store, |store| name_of(store, "mine").as_deref() == Some("One")).await;
    write(folder.path(), "mine.yaml", &document("mine", "Another"));
    until(&store, |store| name_of(store, "mine").as_deref() == Some("Another")).await;
}

#[tokio::test]
async fn a_folder_may_come_later_and_be_replaced() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("configs");
    let store = ConfigStore::open(vec![ConfigFolder::operator(&folder)]).await;
    assert_eq!(store.problems(), []);
    fs::create_dir(&folder).unwrap();
    write(&folder, "mine.yaml", &document("mine", "One"));
    until(&store, |store| name_of(store, "mine").as_deref() == Some("One")).await;
    fs::rename(&folder, parent.path().join("old")).unwrap();
    fs::create_dir(&folder).unwrap();
    write(&folder, "mine.yaml", &document("mine", "Two"));
    until(&store, |store| name_of(store, "mine").as_deref() == Some("Two")).await;
}

#[tokio::test]
async fn a_reload_shows_what_was_just_written() {
    let folder = TempDir::new().unwrap();
    let store = unwatched(vec![ConfigFolder::operator(folder.path())]).await;
    write(folder.path(), "mine.yaml", &document("mine", "One"));
    store.reload().await;
    assert_eq!(name_of(&store, "mine").as_deref(), Some("One"));
}

#[tokio::test]
async fn what_did_not_change_is_not_read_anew_and_not_announced() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "mine.yaml", &document("mine", "One"));
    let store = unwatched(vec![ConfigFolder::operator(folder.path())]).await;
    let before = store.get("mine").unwrap();
    let changes = store.changes();
    write(folder.path(), "mine.yaml", &document("mine", "One"));
    store.reload().await;
    assert!(Arc::ptr_eq(&before, &store.get("mine").unwrap()));
    assert!(!changes.0.has_changed().unwrap());
    write(folder.path(), "other.yaml", &document("other", "Other"));
    store.reload().await;
    assert!(Arc::ptr_eq(&before, &store.get("mine").unwrap()));
    assert!(changes.0.has_changed().unwrap());
}

#[tokio::test]
async fn changes_end_with_the_store() {
    let store = ConfigStore::open(Vec::new()).await;
    let mut changes = store.changes();
    drop(store);
    assert!(!timeout(Duration::from_secs(20), changes.changed()).await.unwrap());
}

#[tokio::test]
async fn the_first_folder_wins_and_an_id_is_listed_once() {
    let (custom, user) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(custom.path(), "both.yaml", &document("both", "Custom"));
    write(user.path(), "both.yaml", &document("both", "User"));
    write(user.path(), "code-assistant.yaml", &document("code-assistant", "Mine"));
    write(user.path(), "a.yml", &document("a", "A"));
    let folders = vec![ConfigFolder::operator(custom.path()), ConfigFolder::operator(user.path())];
    let store = unwatched(folders).await;
    let ids: Vec<String> = store.list().iter().map(|entry| entry.config.id.clone()).collect();
    let expected = [
        "a",
        "both",
        "code-assistant",
        "data-analysis",
        "fullstack-team",
        "github-code-review",
        "research-agent",
    ];
    assert_eq!(ids, expected);
    assert_eq!(user_ids(&store), ["a", "both", "code-assistant"]);
    assert_eq!(name_of(&store, "both").as_deref(), Some("Custom"));
    assert_eq!(name_of(&store, "code-assistant").as_deref(), Some("Mine"));
    fs::remove_file(custom.path().join("both.yaml")).unwrap();
    store.reload().await;
    assert_eq!(name_of(&store, "both").as_deref(), Some("User"));
}

#[tokio::test]
async fn bad_files_are_reported_by_name_and_the_others_load() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "good.yaml", &document("good", "Good"));
    write(folder.path(), "broken.yaml", "id: broken\nname: [");
    write(folder.path(), "code-assistant.yaml", "id: code-assistant\nname: Mine\nmax_turns: 0");
    write(folder.path(), "stem.yaml", &document("other", "Other"));
    write(folder.path(), "twice.yaml", &document("twice", "First"));
    write(folder.path(), "twice.yml", &document("twice", "Second"));
    write(folder.path(), "My Agent.yaml", &document("my-agent", "Mine"));
    write(folder.path(), "README.md", "not a configuration");
    write(folder.path(), ".hidden.yaml", "not a configuration");
    fs::write(folder.path().join("latin.yaml"), b"id: latin\nname: caf\xe9").unwrap();
    fs::write(folder.path().join("large.yaml"), "#".repeat(300 * 1024)).unwrap();
    fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    let store = unwatched(vec![ConfigFolder::operator(folder.path())]).await;
    assert_eq!(user_ids(&store), ["good", "twice"]);
    assert_eq!(name_of(&store, "twice").as_deref(), Some("First"));
    let problems: Vec<String> = store.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "My Agent.yaml: the file must be named <id>.yaml, where the id is made of a-z, 0-9, - and _; rename it",
            "broken.yaml: the document is not valid YAML: unclosed bracket '[' (line 2, column 7)",
            "code-assistant.yaml: `max_turns` must be a whole number from 1 to 1000000 (line 3, column 12)",
            "folder.yaml: this is not a plain file; remove or rename it",
            "large.yaml: the file is larger than 256 KiB; make it smaller",
            "latin.yaml: the file is not UTF-8 text; save it as UTF-8",
            "stem.yaml: `id` is \"other\", but the file is named after \"stem\": make them equal",
            "twice.yml: the file repeats twice.yaml of the same folder; remove one of them",
        ]
    );
    let whereabouts = folder.path().to_str().unwrap();
    assert!(!problems.iter().any(|problem| problem.contains(whereabouts)));
    // The preset does not step in for a file that its author believes to be in force.
    let error = store.get("code-assistant").unwrap_err();
    assert_eq!(
        error.to_string(),
        "Configuration 'code-assistant' cannot be used until its file is mended: \
         `max_turns` must be a whole number from 1 to 1000000 (line 3, column 12)"
    );
    assert!(!store.list().iter().any(|entry| entry.config.id == "code-assistant"));
}

#[tokio::test]
async fn a_link_must_stay_in_its_folder() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("configs");
    let sibling = parent.path().join("configs-secret");
    // As a mounted Kubernetes ConfigMap looks.
    fs::create_dir_all(folder.join("..2026")).unwrap();
    fs::create_dir(&sibling).unwrap();
    write(&folder.join("..2026"), "inside.yaml", &document("inside", "Inside"));
    symlink("..2026", folder.join("..data")).unwrap();
    symlink("..data/inside.yaml", folder.join("inside.yaml")).unwrap();
    write(&sibling, "outside.yaml", &document("outside", "Outside"));
    symlink("../configs-secret/outside.yaml", folder.join("outside.yaml")).unwrap();
    symlink("/etc/passwd", folder.join("passwd.yaml")).unwrap();
    symlink("nowhere", folder.join("nowhere.yaml")).unwrap();
    symlink("/dev/zero", folder.join("zero.yaml")).unwrap();
    symlink("loop.yaml", folder.join("loop.yaml")).unwrap();
    let store = unwatched(vec![ConfigFolder::operator(&folder)]).await;
    assert_eq!(user_ids(&store), ["inside"]);
    let problems: Vec<String> = store.problems().iter().map(ToString::to_string).collect();
    let out = "the file is a link that leads out of its folder; put the file itself there";
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert!(problems[0].starts_with("loop.yaml: the file cannot be read: "), "{problems:?}");
    assert_eq!(problems[1], "nowhere.yaml: the file is a link that leads nowhere; mend or remove it");
    assert_eq!(problems[2..], ["outside", "passwd", "zero"].map(|name| format!("{name}.yaml: {out}")));
    // The folder itself may be a link.
    let link = parent.path().join("link");
    symlink(&folder, &link).unwrap();
    assert_eq!(user_ids(&unwatched(vec![ConfigFolder::operator(&link)]).await), ["inside"]);
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_reported() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("configs");
    fs::write(&file, "not a folder").unwrap();
    let store = unwatched(vec![ConfigFolder::operator(&file)]).await;
    let problems: Vec<String> = store.problems().iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["configs: the folder cannot be read: not a directory"]);
    assert_eq!(store.list().len(), 5, "the presets are there all the same");
}

#[tokio::test]
async fn a_folder_of_very_many_files_is_cut() {
    let folder = TempDir::new().unwrap();
    for number in 0..=files::MAX_FILES {
        let id = format!("c{number}");
        fs::write(folder.path().join(format!("{id}.yaml")), document(&id, "N")).unwrap();
    }
    let store = unwatched(vec![ConfigFolder::operator(folder.path())]).await;
    assert_eq!(user_ids(&store).len(), files::MAX_FILES);
    assert_eq!(store.problems().len(), 1);
}

#[tokio::test]
async fn an_id_cannot_leave_its_folder() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("configs");
    fs::create_dir_all(folder.join("sub")).unwrap();
    write(parent.path(), "outside.yaml", &document("outside", "Outside"));
    write(&folder.join("sub"), "below.yaml", &document("below", "Below"));
    write(&folder, "mine.yaml", &document("mine", "Mine"));
    let store = unwatched(vec![ConfigFolder::operator(&folder)]).await;
    let absolute = parent.path().join("outside");
    for id in [
        "../outside",
        "..\\outside",
        "sub/below",
        "./mine",
        "mine.yaml",
        "mine\0",
        "MINE",
        " mine",
        "mine\n",
        "",
        ".",
        "..",
        "%2e%2e%2foutside",
        "outside",
        "below",
        absolute.to_str().unwrap(),
    ] {
        let error = store.get(id).expect_err(id);
        assert!(matches!(error, ConfigLookupError::NotFound(_)), "{id:?}: {error}");
    }
    assert_eq!(
        store.get("min").unwrap_err().to_string(),
        "Configuration 'min' not found; did you mean `mine`?"
    );
    assert_eq!(
        store.get("zebra").unwrap_err().to_string(),
        "Configuration 'zebra' not found; list the configurations to see which there are"
    );
    assert_eq!(
        store.get("../x").unwrap_err().to_string(),
        "\"../x\" is not the id of a configuration, which is made of a-z, 0-9, - and _"
    );
}

proptest! {
    #[test]
    fn no_id_makes_it_panic(id in ".{0,200}") {
        let mut snapshot = Snapshot::default();
        snapshot.add("mine", Err(ConfigError::one(FieldProblem::sentence("", "broken"))));
        let error = snapshot.get(&id).unwrap_err();
        prop_assert_eq!(matches!(error, ConfigLookupError::Invalid { .. }), id == "mine");
        prop_assert!(error.to_string().len() < 1_000);
    }
}
