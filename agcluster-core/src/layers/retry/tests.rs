use futures::StreamExt;

use super::super::Operation;
use super::super::fake::{Fake, id, spec};
use super::*;
use crate::provider::{ErrorKind, ExecOptions, PathInContainer};

fn layer() -> Retry {
    Retry::default().seeded(7)
}

#[tokio::test(start_paused = true)]
async fn passing_trouble_passes() {
    let fake = Fake::new();
    fake.fail(ErrorKind::Unavailable).fail(ErrorKind::Timeout);
    layer().on(fake.provider()).create(spec("a")).await.unwrap();
    assert_eq!(fake.calls(), [Operation::Create; 3]);
}

#[tokio::test(start_paused = true)]
async fn lasting_trouble_is_answered_after_the_last_attempt() {
    let fake = Fake::new();
    for _ in 0..5 {
        fake.fail(ErrorKind::Unavailable);
    }
    let error = layer().attempts(4).on(fake.provider()).inspect(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(fake.calls().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_no_second_try_helps_is_answered_at_once() {
    for kind in [ErrorKind::Auth, ErrorKind::Invalid, ErrorKind::NotFound, ErrorKind::Unsupported] {
        let fake = Fake::new();
        fake.fail(kind);
        let error = layer().on(fake.provider()).create(spec("a")).await.unwrap_err();
        assert_eq!((error.kind(), fake.calls().len()), (kind, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_never_done_again() {
    let fake = Fake::new();
    let provider = layer().on(fake.provider());
    fake.fail(ErrorKind::Timeout);
    provider.exec(&id("a"), ExecOptions::new(["true"])).await.unwrap_err();
    fake.fail(ErrorKind::Timeout);
    provider.snapshot(&id("a")).await.unwrap_err();
    fake.fail(ErrorKind::Timeout);
    let path = PathInContainer::new("/workspace").unwrap();
    provider.write_archive(&id("a"), path, futures::stream::empty().boxed()).await.unwrap_err();
    assert_eq!(fake.calls(), [Operation::Exec, Operation::Snapshot, Operation::WriteArchive]);
}

#[tokio::test(start_paused = true)]
async fn the_platforms_own_wait_is_kept() {
    let asked = Duration::from_secs(17);
    let said = [
        Error::new(ErrorKind::RateLimited { retry_after: Some(asked) }, "p", "o", "m"),
        Error::new(ErrorKind::Unavailable, "p", "o", "m").with_retry_after(asked),
    ];
    for error in said {
        let fake = Fake::new();
        fake.fail_with(error);
        layer().on(fake.provider()).probe().await.unwrap();
        let moments = fake.moments();
        let waited = moments[1] - moments[0];
        assert!(waited >= asked && waited <= asked + Duration::from_secs(1), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_total_is_not_begun() {
    let fake = Fake::new();
    fake.fail(ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(60)) });
    let started = Instant::now();
    let provider = layer().total(Duration::from_secs(30)).on(fake.provider());
    let error = provider.probe().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert_eq!((started.elapsed(), fake.calls().len()), (Duration::ZERO, 1));
}

#[test]
fn waits_double_up_to_the_longest_and_are_spread_over_all_of_it() {
    let retry = layer();
    let error = Error::new(ErrorKind::Unavailable, "p", "o", "m");
    for (attempt, longest) in [(1, 250), (2, 500), (3, 1000), (20, 10_000), (u32::MAX, 10_000)] {
        let longest = Duration::from_millis(longest);
        let waits: Vec<_> = std::iter::repeat_with(|| retry.wait(attempt, &error)).take(200).collect();
        assert!(waits.iter().all(|wait| *wait <= longest));
        assert!(waits.iter().any(|wait| *wait < longest / 5), "full jitter reaches down to nothing");
        assert!(waits.iter().any(|wait| *wait > longest / 5 * 4));
    }
}

#[tokio::test(start_paused = true)]
async fn what_shall_be_tried_once_is() {
    let fake = Fake::new();
    fake.fail(ErrorKind::Unavailable);
    let provider = layer().once(Operation::Probe).on(fake.provider());
    assert_eq!(provider.probe().await.unwrap_err().kind(), ErrorKind::Unavailable);
    fake.fail(ErrorKind::Unavailable);
    provider.inspect(&id("a")).await.unwrap();
}
