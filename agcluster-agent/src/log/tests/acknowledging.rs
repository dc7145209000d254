//! Nothing is dropped that is not acknowledged.

use futures::FutureExt;

use super::*;

fn keeping(memory_bytes: usize, total_bytes: u64, unacknowledged_bytes: u64) -> Arc<EventLog> {
    let limits = ReplayLimits { memory_bytes, total_bytes, unacknowledged_bytes, ..ReplayLimits::default() };
    let log = Arc::new(EventLog::new(limits));
    log.keep_until_acknowledged();
    log
}

fn has_room(log: &EventLog) -> bool {
    log.room().now_or_never().is_some()
}

#[tokio::test]
async fn what_nobody_has_acknowledged_is_all_there() {
    let log = keeping(2_000, 4_000, 1 << 30);
    let all: Vec<u64> = (1..=20_000).map(|_| log.append(event(&"x".repeat(100)))).collect();
    assert!(has_room(&log));
    assert_eq!(read(&log, 0).await.unwrap(), all);
}

#[tokio::test]
async fn beyond_the_bound_the_writer_waits_for_an_acknowledgement() {
    let log = keeping(2_000, 4_000, 10_000);
    while has_room(&log) {
        log.append(event(&"x".repeat(100)));
    }
    let newest = log.newest();
    assert!(log.liveness().held_back && newest > 20 && newest < 100, "{newest}");
    // Nothing has gone, and a little more may be said than there is room for.
    log.append(event("over"));
    assert_eq!(read(&log, 0).await.unwrap(), (1..=newest + 1).collect::<Vec<_>>());
    log.acknowledge(1).unwrap();
    let waiting = tokio::spawn({
        let log = log.clone();
        async move { log.room().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    log.acknowledge(newest).unwrap();
    waiting.await.unwrap();
    let liveness = log.liveness();
    assert_eq!((liveness.newest, liveness.acknowledged, liveness.held_back), (newest + 1, newest, false));
}

#[tokio::test]
async fn an_acknowledgement_is_of_events_that_there_are_and_takes_nothing_back() {
    let log = keeping(1 << 20, 1 << 20, 1 << 20);
    log.append(event("x"));
    log.append(event("x"));
    assert_eq!(log.acknowledge(3), Err(CursorError::Future { after: 3, newest: 2 }));
    log.acknowledge(2).unwrap();
    log.acknowledge(1).unwrap();
    log.acknowledge(0).unwrap();
    assert_eq!(log.liveness().acknowledged, 2);
    // They are still there for others.
    assert_eq!(read(&log, 0).await, Ok(vec![1, 2]));
}

#[tokio::test]
async fn what_is_acknowledged_goes_when_there_is_too_much() {
    let log = keeping(2_000, 4_000, 1 << 30);
    for _ in 0..50_000 {
        let seq = log.append(event(&"x".repeat(100)));
        log.acknowledge(seq).unwrap();
        assert!(has_room(&log));
    }
    assert!(matches!(read(&log, 0).await, Err(CursorError::Expired { .. })));
    let kept = log.lock().spill.bytes();
    assert!(kept < 4 << 20, "{kept}");
}

#[tokio::test]
async fn little_of_what_is_acknowledged_stays_in_memory() {
    let log = keeping(4 << 20, 64 << 20, 64 << 20);
    let append_many = || (0..10_000).for_each(|_| _ = log.append(event(&"x".repeat(100))));
    append_many();
    let newest = log.newest();
    assert_eq!(read(&log, 0).await.unwrap().len(), 10_000);
    log.acknowledge(newest - 10).unwrap();
    let kept = log.lock().recent_bytes;
    assert!(kept > ACKNOWLEDGED / 2 && kept <= ACKNOWLEDGED, "{kept}");
    assert_eq!(read(&log, newest - 10).await.unwrap().len(), 10);
    assert!(matches!(read(&log, 0).await, Err(CursorError::Expired { .. })));
    // What is not acknowledged is never dropped.
    append_many();
    log.acknowledge(newest).unwrap();
    assert_eq!(read(&log, newest).await, Ok((newest + 1..=log.newest()).collect()));
}

#[tokio::test]
async fn without_a_disk_the_writer_waits_and_nothing_is_lost() {
    let limits = ReplayLimits {
        memory_bytes: 2_000,
        directory: Some("/nonexistent".into()),
        ..ReplayLimits::default()
    };
    let log = Arc::new(EventLog::new(limits));
    log.keep_until_acknowledged();
    while has_room(&log) {
        log.append(event(&"x".repeat(100)));
    }
    let newest = log.newest();
    assert_eq!(read(&log, 0).await.unwrap(), (1..=newest).collect::<Vec<_>>());
    log.acknowledge(newest).unwrap();
    assert!(has_room(&log));
}

#[tokio::test]
async fn a_disk_that_has_room_again_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("later");
    let limits =
        ReplayLimits { memory_bytes: 2_000, directory: Some(directory.clone()), ..ReplayLimits::default() };
    let log = Arc::new(EventLog::new(limits));
    log.keep_until_acknowledged();
    while has_room(&log) {
        log.append(event(&"x".repeat(100)));
    }
    std::fs::create_dir(directory).unwrap();
    tokio::time::timeout(Duration::from_secs(30), log.room()).await.unwrap();
    let newest = log.append(event("x"));
    assert_eq!(read(&log, 0).await.unwrap(), (1..=newest).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_said_and_acknowledged_nothing_unacknowledged_is_gone(
        steps in prop::collection::vec((0..600_usize, prop::option::weighted(0.2, 0.0..1.0_f64)), 1..60),
        memory in 200..3_000_usize,
        total in 200..20_000_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let log = keeping(memory, total, 1 << 30);
        let mut acknowledged = 0;
        for (size, part) in steps {
            let newest = log.append(event(&"x".repeat(size)));
            if let Some(part) = part {
                let seq = (newest as f64 * part) as u64;
                log.acknowledge(seq).unwrap();
                acknowledged = acknowledged.max(seq);
            }
            let kept = runtime.block_on(read(&log, acknowledged));
            prop_assert_eq!(kept, Ok((acknowledged + 1..=newest).collect()));
        }
    }
}
