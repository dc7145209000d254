//! What can go wrong with a file of SQLite.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use agcluster_core::session::SessionRecord;
use agcluster_core::store::{Change, DatabaseUrl, StoreError, open};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

use crate::make::{event, events, put, session};

fn url(path: &Path) -> DatabaseUrl {
    format!("sqlite://{}", path.display()).parse().unwrap()
}

/// A folder, and the path of a database in it.
fn fresh() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    (folder, path)
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

async fn refused(path: &Path) -> String {
    match open(&url(path)).await {
        Err(StoreError::Open(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_server_is_refused_whatever_way_it_comes() {
    let (folder, path) = fresh();
    let link = folder.path().join("link.db");
    symlink(&path, &link).unwrap();
    let first = open(&url(&path)).await.unwrap();
    for way in [&path, &link] {
        let error = open(&url(way)).await.unwrap_err();
        assert!(matches!(&error, StoreError::InUse(_)), "{error}");
        assert!(error.to_string().contains("DATABASE_URL"), "{error}");
    }
    first.commit(&[put(&session("a"))]).await.unwrap();
    first.close().await;
    assert!(matches!(first.sessions().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(first.commit(&[put(&session("b"))]).await, Err(StoreError::Unavailable(_))));
    let second = open(&url(&link)).await.unwrap();
    assert_eq!(second.sessions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_files_are_for_this_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made").join("a.db");
    let store = open(&url(&path)).await.unwrap();
    store.commit(&[put(&session("a"))]).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 3, "database, log and lock: {files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_as_it_is() {
    let (_folder, path) = fresh();
    open(&url(&path)).await.unwrap().close().await;
    let mut connection = raw(&path).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (999, 'later', TRUE, x'00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    for _ in 0..2 {
        let error = open(&url(&path)).await.unwrap_err();
        assert_eq!(error, StoreError::Newer { found: 999, known: 2 });
    }
}

#[tokio::test]
async fn what_cannot_be_a_database_is_refused_in_one_sentence() {
    let (folder, path) = fresh();
    std::fs::write(&path, "Dear diary, this is not a database.".repeat(100)).unwrap();
    let foreign = folder.path().join("foreign.db");
    let mut connection =
        SqliteConnectOptions::new().filename(&foreign).create_if_missing(true).connect().await.unwrap();
    sqlx::query("CREATE TABLE sessions (colour TEXT)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let missing = folder.path().join("no").join("such").join("a.db");
    let nowhere = PathBuf::from("/proc/a.db");
    for bad in [&path, &foreign, folder.path(), &missing, &nowhere].map(Path::to_owned) {
        let why = refused(&bad).await;
        assert!(why.contains("DATABASE_URL") && why.contains(bad.to_str().unwrap()), "{why}");
        assert!(!why.contains('\n') && !why.contains(". "), "one sentence: {why}");
    }
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("Dear diary"), "left as it is");
}

#[tokio::test]
async fn somebody_elses_lock_is_waited_for_and_then_told() {
    let (_folder, path) = fresh();
    let store = open(&url(&path)).await.unwrap();
    let a = session("a");
    store.commit(&[put(&a), events(&a.id, 1..=1)]).await.unwrap();
    let mut other = raw(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = store.commit(&[events(&a.id, 2..=2)]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("locked")), "{error}");
    assert_eq!(
        store.events(&a.id, 0, 9, 999).await.unwrap_err(),
        error,
        "what is there is in doubt until then"
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.commit(&[events(&a.id, 2..=2)]).await.unwrap();
    assert_eq!(store.events(&a.id, 0, 9, 9999).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_is_made_or_not_and_harms_nothing() {
    let (_folder, path) = fresh();
    let store = open(&url(&path)).await.unwrap();
    let a = session("a");
    store.commit(&[put(&a)]).await.unwrap();
    for round in 0..50 {
        let head = store.extent(&a.id).await.unwrap().head;
        let changes = [events(&a.id, head + 1..=head + 20)];
        abandon(store.commit(&changes), round % 25).await;
        let after = store.extent(&a.id).await.unwrap();
        assert!(after.head == head || after.head == head + 20);
        let there = store.events(&a.id, 0, usize::MAX, usize::MAX).await.unwrap();
        assert!(there.iter().map(|event| event.seq()).eq(1..=after.head));
    }
    store.commit(&[events(&a.id, 1..=1100)]).await.unwrap();
}

/// Waits for a commit no longer than it takes to poll it so often.
async fn abandon(commit: impl Future, polls: usize) {
    let mut commit = Box::pin(commit);
    for _ in 0..polls {
        if futures::poll!(&mut commit).is_ready() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

/// Whoever has the file next must not meet a connection that is still at its end: SQLite's own locks are this process's, and
/// go with the first descriptor that is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_closed_store_was_at_it_has_left_the_file() {
    let (_folder, path) = fresh();
    for round in 0..25 {
        let store = open(&url(&path)).await.unwrap();
        let sessions: Vec<_> = (0..4).map(|number| session(&format!("{round}-{number}"))).collect();
        store.commit(&sessions.iter().map(put).collect::<Vec<_>>()).await.unwrap();
        // So many that they are being put in their place, and some that nobody waits for.
        let many: Vec<_> = sessions.iter().map(|session| events(&session.id, 1..=300)).collect();
        store.commit(&many).await.unwrap();
        let more: Vec<_> = sessions.iter().map(|session| events(&session.id, 301..=310)).collect();
        abandon(store.commit(&more), round).await;
        store.close().await;
        drop(store);
        assert_eq!(open_files(&path), Vec::<PathBuf>::new(), "in round {round}");
    }
}

/// The files of a database that this process has open.
fn open_files(path: &Path) -> Vec<PathBuf> {
    let name = path.to_str().unwrap();
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    // One that was closed meanwhile is none.
    let targets = files.filter_map(|file| file.unwrap().path().read_link().ok());
    targets.filter(|target| target.to_string_lossy().starts_with(name)).collect()
}

/// A small file system in memory, which only root can make.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"]).arg(folder.path());
        let done = mount.output().unwrap();
        assert!(
            done.status.success(),
            "this test needs to mount a tmpfs: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_overcome() {
    let disk = SmallDisk::new();
    let (path, filler) = (disk.0.path().join("a.db"), disk.0.path().join("filler"));
    std::fs::write(&filler, vec![0; 1 << 20]).unwrap();
    let store = open(&url(&path)).await.unwrap();
    let a = session("a");
    store.commit(&[put(&a)]).await.unwrap();
    let mut head = 0;
    let error = loop {
        match store.commit(&[events(&a.id, head + 1..=head + 50)]).await {
            Ok(()) => head += 50,
            Err(error) => break error,
        }
    };
    assert!(head > 0);
    for _ in 0..3 {
        assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("disk")), "{error}");
        let again = store.commit(&[events(&a.id, head + 1..=head + 500)]).await;
        assert!(matches!(&again, Err(StoreError::Unavailable(_))), "{again:?}");
    }
    std::fs::remove_file(&filler).unwrap();
    store.commit(&[events(&a.id, head + 1..=head + 50)]).await.unwrap();
    let there = store.events(&a.id, 0, usize::MAX, usize::MAX).await.unwrap();
    assert!(there.iter().map(|event| event.seq()).eq(1..=head + 50), "nothing that was kept is lost");
    store.close().await;
    let again = open(&url(&path)).await.unwrap();
    assert_eq!(again.extent(&a.id).await.unwrap().head, head + 50);
    again.close().await;
}

#[tokio::test]
async fn events_are_read_the_same_whether_they_are_in_their_place_or_not() {
    let (_folder, path) = fresh();
    let store = open(&url(&path)).await.unwrap();
    let (a, b) = (session("a"), session("b"));
    store.commit(&[put(&a), put(&b)]).await.unwrap();
    // More than is kept apart, so that some of it is put in its place meanwhile.
    let (step, last) = (500, 30_000);
    for head in (0..last).step_by(step) {
        let (first, newest) = (head as u64 + 1, (head + step) as u64);
        store.commit(&[events(&a.id, first..=newest), events(&b.id, first..=newest)]).await.unwrap();
        if let Some(after) = newest.checked_sub(700) {
            let page = store.events(&a.id, after, 600, usize::MAX).await.unwrap();
            // It may end where those begin that are not in their place.
            assert!(!page.is_empty() && page.len() <= 600);
            assert!(page.iter().map(|event| event.seq()).eq(after + 1..=after + page.len() as u64));
        }
    }
    assert_eq!(store.commit(&[Change::RemoveSession(b.id.clone())]).await, Ok(()));
    store.close().await;
    for _ in 0..2 {
        let again = open(&url(&path)).await.unwrap();
        assert_eq!(again.extent(&a.id).await.unwrap().head, last as u64);
        assert_eq!(again.extent(&b.id).await.unwrap().head, 0);
        let there = again.events(&a.id, 0, usize::MAX, usize::MAX).await.unwrap();
        assert!(there.iter().map(|event| event.seq()).eq(1..=last as u64));
        again.close().await;
    }
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let (folder, path) = fresh();
    let store = open(&url(&path)).await.unwrap();
    let sessions: Vec<_> = (0..200).map(|number| session(&format!("s{number}"))).collect();
    store.commit(&sessions.iter().map(put).collect::<Vec<_>>()).await.unwrap();
    // Two megabytes each, which are settled later: several hundred in all.
    for seq in 1..=120 {
        let records = vec![event(seq, 10_000, None)];
        let events =
            |record: &SessionRecord| Change::Events { session: record.id.clone(), records: records.clone() };
        store.commit(&sessions.iter().map(events).collect::<Vec<_>>()).await.unwrap();
    }
    let log = std::fs::metadata(folder.path().join("a.db-wal")).unwrap().len();
    assert!(log < 400 << 20, "{log} bytes");
    store.close().await;
}
