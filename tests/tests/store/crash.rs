//! A process that is killed in the middle of its commits: what it was told is kept, is there.

use std::process::Stdio;

use agcluster_core::protocol::EventBody;
use agcluster_core::session::SessionId;
use agcluster_core::store::{DatabaseUrl, Store, open};
use agcluster_tests::postgres::Postgres;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// How often it is killed.
const ROUNDS: usize = 20;

/// Runs the writer, kills it after so many answers, and gives the last that it had: number and newest event.
async fn write_and_kill(url: &str, answers: usize) -> (u64, u64) {
    let mut writer = Command::new(env!("CARGO_BIN_EXE_store-writer"));
    writer.arg(url).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut writer = writer.spawn().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut last = None;
    for number in 0..answers {
        last = lines.next_line().await.unwrap();
        if last.is_none() {
            let ended = writer.wait_with_output().await.unwrap();
            panic!("it ended after {number} answers: {}", String::from_utf8_lossy(&ended.stderr));
        }
    }
    writer.start_kill().unwrap();
    // What it had still said.
    while let Ok(Some(line)) = lines.next_line().await {
        if line.contains(' ') {
            last = Some(line);
        }
    }
    writer.wait().await.unwrap();
    let last = last.unwrap();
    let (number, head) = last.split_once(' ').unwrap();
    (number.parse().unwrap(), head.parse().unwrap())
}

async fn check(store: &dyn Store, (number, head): (u64, u64)) -> u64 {
    let kept: u64 = store.meta("number").await.unwrap().unwrap().parse().unwrap();
    // It was killed before it could tell of one more at the most; a line can be cut off too.
    assert!(kept >= number && kept <= number + 2, "{kept} are kept, {number} were answered");
    let heads: Vec<_> = futures::future::join_all((0..20).map(async |session| {
        let id = SessionId::from_text(format!("conv-{session}"));
        let events = store.events(&id, 0, usize::MAX, usize::MAX).await.unwrap();
        for (seq, event) in (1..).zip(&events) {
            assert_eq!((event.seq(), event.source_seq), (seq, Some(seq)));
            assert!(matches!(&event.event.body, EventBody::TextDelta { text, .. } if *text == format!("event {seq}")));
        }
        let extent = store.extent(&id).await.unwrap();
        assert_eq!(extent.head, events.len() as u64);
        assert_eq!(extent.bytes, events.iter().map(|event| event.json().len() as u64).sum::<u64>());
        extent.head
    }))
    .await;
    assert!(heads[0] >= head, "{} events are kept, {head} were answered", heads[0]);
    assert!(heads.iter().all(|each| *each == heads[0]), "a commit is whole: {heads:?}");
    heads[0]
}

async fn kill_again_and_again(url: &str) {
    let address: DatabaseUrl = url.parse().unwrap();
    let mut before = 0;
    for round in 0..ROUNDS {
        let answered = write_and_kill(url, 1 + (round * 37) % 60).await;
        // At once: the lock went with the process.
        let store = open(&address).await.unwrap();
        let head = check(&*store, answered).await;
        assert!(head >= before);
        before = head;
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_answered_outlives_a_kill_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    kill_again_and_again(&format!("sqlite://{}", path.display())).await;
    let mut raw = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut raw).await.unwrap();
    assert_eq!(row.get::<String, _>(0), "ok");
    raw.close().await.unwrap();
}

#[tokio::test]
async fn what_was_answered_outlives_a_kill_on_postgres() {
    let server = Postgres::start().await.unwrap();
    kill_again_and_again(&server.url()).await;
}
