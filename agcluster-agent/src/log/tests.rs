mod acknowledging;

use std::sync::Arc;
use std::time::Duration;

use agcluster_protocol::EventBody;
use agcluster_protocol::event::NoticeLevel;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;

fn event(text: &str) -> Event {
    Event {
        seq: 0,
        generation: 1,
        at: jiff::Timestamp::UNIX_EPOCH,
        turn: None,
        parent: None,
        extra: serde_json::Map::new(),
        body: EventBody::Notice { level: NoticeLevel::Info, message: text.to_owned() },
    }
}

fn log(memory_bytes: usize, total_bytes: u64) -> Arc<EventLog> {
    Arc::new(EventLog::new(ReplayLimits { memory_bytes, total_bytes, ..ReplayLimits::default() }))
}

/// The seqs that a follower gives until it has nothing more to give at once.
async fn seqs(follower: &mut Follower) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some(frames) = follower.next().await {
        let text = String::from_utf8(frames.to_vec()).unwrap();
        for frame in text.split_terminator("\n\n") {
            let (id, data) = frame.strip_prefix("id: ").unwrap().split_once("\ndata: ").unwrap();
            let event: Event = serde_json::from_str(data).unwrap();
            assert_eq!(id, event.seq.to_string());
            seqs.push(event.seq);
        }
    }
    seqs
}

/// Reads everything after a cursor that there is now.
async fn read(log: &Arc<EventLog>, after: u64) -> Result<Vec<u64>, CursorError> {
    let stop = CancellationToken::new();
    stop.cancel();
    let mut follower = Follower::new(log.clone(), after, None, stop)?;
    Ok(seqs(&mut follower).await)
}

#[tokio::test]
async fn events_are_numbered_from_one_and_read_after_a_cursor() {
    let log = log(1 << 20, 1 << 20);
    assert_eq!(log.newest(), 0);
    assert_eq!(read(&log, 0).await, Ok(vec![]));
    for seq in 1..=3 {
        assert_eq!(log.append(event("x")), seq);
    }
    assert_eq!(read(&log, 0).await, Ok(vec![1, 2, 3]));
    assert_eq!(read(&log, 2).await, Ok(vec![3]));
    assert_eq!(read(&log, 3).await, Ok(vec![]));
    assert_eq!(read(&log, 4).await, Err(CursorError::Future { after: 4, newest: 3 }));
    assert_eq!(read(&log, u64::MAX).await, Err(CursorError::Future { after: u64::MAX, newest: 3 }));
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_read_from_disk() {
    let log = log(2_000, 1 << 30);
    let all: Vec<u64> = (1..=2_000).map(|_| log.append(event(&"x".repeat(100)))).collect();
    assert!(log.lock().recent.len() < 20, "only the newest are in memory");
    assert_eq!(read(&log, 0).await.unwrap(), all);
    for after in [1, 7, 999, 1_500, 1_990, 1_999] {
        assert_eq!(read(&log, after).await.unwrap(), all[after as usize..], "after {after}");
    }
}

#[tokio::test]
async fn the_oldest_are_given_up_and_their_cursors_expire() {
    let log = log(1_000, 50_000);
    for _ in 0..5_000 {
        log.append(event(&"x".repeat(100)));
    }
    let Err(CursorError::Expired { after: 0, oldest }) = read(&log, 0).await else { panic!("not expired") };
    assert!(oldest > 4_000 && oldest < 5_000, "{oldest}");
    assert_eq!(read(&log, oldest).await.unwrap(), (oldest + 1..=5_000).collect::<Vec<_>>());
    assert_eq!(read(&log, oldest - 1).await, Err(CursorError::Expired { after: oldest - 1, oldest }));
    let kept: u64 = {
        let state = log.lock();
        state.spill.bytes() + state.recent_bytes as u64
    };
    assert!(kept <= 51_000, "{kept} bytes are kept");
}

#[tokio::test]
async fn without_a_disk_the_newest_are_kept() {
    let directory = Some("/nonexistent".into());
    let limits =
        ReplayLimits { memory_bytes: 1_000, total_bytes: 1 << 30, directory, ..ReplayLimits::default() };
    let log = Arc::new(EventLog::new(limits));
    for _ in 0..100 {
        log.append(event(&"x".repeat(100)));
    }
    let Err(CursorError::Expired { oldest, .. }) = read(&log, 0).await else { panic!("not expired") };
    assert_eq!(read(&log, oldest).await.unwrap(), (oldest + 1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_event_larger_than_memory_is_kept_whole() {
    let log = log(1_000, 1 << 30);
    log.append(event("small"));
    log.append(event(&"x".repeat(200_000)));
    log.append(event("small"));
    assert_eq!(read(&log, 0).await, Ok(vec![1, 2, 3]));
    assert_eq!(read(&log, 1).await, Ok(vec![2, 3]));
}

#[tokio::test]
async fn a_follower_waits_for_what_comes_and_ends_with_the_server() {
    let log = log(1 << 20, 1 << 20);
    let stop = CancellationToken::new();
    let mut follower = Follower::new(log.clone(), 0, None, stop.clone()).unwrap();
    let following = tokio::spawn(async move { seqs(&mut follower).await });
    for _ in 0..100 {
        log.append(event("x"));
        tokio::task::yield_now().await;
    }
    stop.cancel();
    assert_eq!(following.await.unwrap(), (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_follower_of_a_turn_reads_to_its_end_and_not_beyond() {
    for memory in [1 << 20, 300] {
        let log = log(memory, 1 << 30);
        let mark = TurnMark::default();
        let stop = CancellationToken::new();
        for _ in 0..10 {
            log.append(event("x"));
        }
        mark.set(7).unwrap();
        let mut follower = Follower::new(log.clone(), 2, Some(mark.clone()), stop.clone()).unwrap();
        assert_eq!(seqs(&mut follower).await, [3, 4, 5, 6, 7]);
        let mut late = Follower::new(log.clone(), 7, Some(mark), stop).unwrap();
        assert_eq!(seqs(&mut late).await, [] as [u64; 0]);
    }
}

#[tokio::test]
async fn a_follower_that_is_too_slow_ends_instead_of_leaving_something_out() {
    let log = log(1_000, 20_000);
    log.append(event("x"));
    let stop = CancellationToken::new();
    let mut follower = Follower::new(log.clone(), 0, None, stop).unwrap();
    for _ in 0..5_000 {
        log.append(event(&"x".repeat(100)));
    }
    assert_eq!(follower.next().await, None);
}

proptest! {
    #[test]
    fn reading_in_pieces_gives_every_event_once(
        sizes in prop::collection::vec(0..400_usize, 1..200),
        memory in 200..3_000_usize,
        after in 0..200_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let log = log(memory, 1 << 30);
        for size in &sizes {
            log.append(event(&"x".repeat(*size)));
        }
        let newest = sizes.len() as u64;
        let result = runtime.block_on(read(&log, after));
        if after > newest {
            prop_assert_eq!(result, Err(CursorError::Future { after, newest }));
        } else {
            prop_assert_eq!(result, Ok((after + 1..=newest).collect()));
        }
    }
}
