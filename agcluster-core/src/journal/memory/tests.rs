use agcluster_protocol::EventBody;
use futures::StreamExt;
use proptest::prelude::*;

use super::*;
use crate::journal::subscribe;

fn delta(text: &str) -> Entry {
    Entry::own(1, None, EventBody::TextDelta { block: 0, text: text.to_owned() })
}

async fn journal(retention: Retention) -> (MemoryJournal, SessionId) {
    let journal = MemoryJournal::new(retention);
    let session = SessionId::generate();
    journal.open(&session).await.unwrap();
    (journal, session)
}

#[tokio::test]
async fn numbers_grow_without_gaps() {
    let (journal, session) = journal(Retention::default()).await;
    assert_eq!(journal.append(&session, vec![delta("a"), delta("b")]).await, Ok(2));
    assert_eq!(journal.append(&session, vec![delta("c")]).await, Ok(3));
    let seqs: Vec<u64> =
        journal.read(&session, 0, 10).await.unwrap().iter().map(|record| record.seq()).collect();
    assert_eq!(seqs, [1, 2, 3]);
}

#[tokio::test]
async fn a_cursor_older_than_what_is_kept_is_told_so() {
    let (journal, session) = journal(Retention { max_bytes: 1 << 20, max_events: 2 }).await;
    journal.append(&session, vec![delta("a"), delta("b"), delta("c")]).await.unwrap();
    assert_eq!(journal.read(&session, 0, 10).await.unwrap_err(), JournalError::CursorExpired { earliest: 2 });
    assert_eq!(journal.read(&session, 1, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_newest_event_is_kept_however_large() {
    let (journal, session) = journal(Retention { max_bytes: 10, max_events: 10 }).await;
    journal.append(&session, vec![delta("a"), delta(&"b".repeat(100))]).await.unwrap();
    assert_eq!(journal.read(&session, 1, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_cursor_from_the_future_is_refused() {
    let (journal, session) = journal(Retention::default()).await;
    assert_eq!(
        journal.read(&session, 5, 10).await.unwrap_err(),
        JournalError::CursorInFuture { cursor: 5, head: 0 }
    );
}

#[tokio::test]
async fn a_subscription_gives_what_was_and_what_comes_and_ends_with_the_journal() {
    let (journal, session) = journal(Retention::default()).await;
    journal.append(&session, vec![delta("a")]).await.unwrap();
    let mut events = Box::pin(subscribe(Arc::new(journal.clone()), session.clone(), 0).await.unwrap());
    assert_eq!(events.next().await.unwrap().unwrap().seq(), 1);
    journal.append(&session, vec![delta("b")]).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().seq(), 2);
    journal.append(&session, vec![delta("c")]).await.unwrap();
    journal.close(&session).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().seq(), 3);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_reader_too_slow_for_the_retention_is_told_and_ends() {
    let (journal, session) = journal(Retention { max_bytes: 1 << 20, max_events: 2 }).await;
    let mut events = Box::pin(subscribe(Arc::new(journal.clone()), session.clone(), 0).await.unwrap());
    journal.append(&session, (0..5).map(|_| delta("x")).collect()).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap_err(), JournalError::CursorExpired { earliest: 4 });
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn whoever_reads_a_removed_session_reads_it_to_its_end() {
    let (journal, session) = journal(Retention::default()).await;
    let mut events = Box::pin(subscribe(Arc::new(journal.clone()), session.clone(), 0).await.unwrap());
    journal.append(&session, vec![delta("last words")]).await.unwrap();
    journal.remove(&session).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().seq(), 1);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn an_unknown_session_is_an_error() {
    let journal = MemoryJournal::default();
    let session = SessionId::generate();
    assert_eq!(journal.append(&session, vec![]).await, Err(JournalError::UnknownSession(session.clone())));
    assert_eq!(journal.remove(&session).await, Ok(()));
}

proptest! {
    #[test]
    fn reading_in_any_steps_gives_everything_once(batches in prop::collection::vec(0usize..20, 1..10), step in 1usize..7) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (journal, session) = journal(Retention::default()).await;
            let mut total = 0;
            for batch in batches {
                journal.append(&session, (0..batch).map(|_| delta("x")).collect()).await.unwrap();
                total += batch as u64;
            }
            let mut seen = 0;
            loop {
                let page = journal.read(&session, seen, step).await.unwrap();
                let Some(last) = page.last() else { break };
                assert_eq!(page[0].seq(), seen + 1);
                seen = last.seq();
            }
            assert_eq!(seen, total);
        });
    }
}
