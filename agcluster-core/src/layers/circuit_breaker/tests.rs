use std::sync::Arc;

use super::super::fake::{Fake, id};
use super::*;
use crate::provider::ContainerProvider;

const OPEN: Duration = Duration::from_secs(30);

/// A circuit that three failures have opened.
async fn opened(fake: &Fake) -> Arc<dyn ContainerProvider> {
    let provider = CircuitBreaker::new(3, OPEN).on(fake.provider());
    for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Unavailable] {
        fake.fail(kind);
        assert_eq!(call(&provider).await.unwrap_err().code(), None);
    }
    provider
}

async fn call(provider: &Arc<dyn ContainerProvider>) -> Result<()> {
    provider.inspect(&id("a")).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_answers_at_once_and_says_when_to_come_back() {
    let fake = Fake::new();
    let provider = opened(&fake).await;
    tokio::time::advance(OPEN / 3).await;
    let error = call(&provider).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some(CIRCUIT_OPEN)));
    assert_eq!(error.retry_after(), Some(OPEN / 3 * 2));
    assert_eq!(error.message(), "the platform did not answer the last calls: try again in 20 s");
    assert_eq!(fake.calls().len(), 3);
    provider.probe().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_good_call_closes_it() {
    let fake = Fake::new();
    let provider = opened(&fake).await;
    tokio::time::advance(OPEN).await;
    call(&provider).await.unwrap();
    fake.fail(ErrorKind::Unavailable);
    call(&provider).await.unwrap_err();
    call(&provider).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_bad_call_opens_it_again() {
    let fake = Fake::new();
    let provider = opened(&fake).await;
    tokio::time::advance(OPEN).await;
    fake.fail(ErrorKind::Timeout);
    assert_eq!(call(&provider).await.unwrap_err().code(), None);
    assert_eq!(call(&provider).await.unwrap_err().retry_after(), Some(OPEN));
}

#[tokio::test(start_paused = true)]
async fn only_one_call_tries_and_a_dropped_one_gives_its_turn_back() {
    let fake = Fake::new().taking(Duration::from_secs(1));
    let provider = opened(&fake).await;
    tokio::time::advance(OPEN).await;
    {
        let trial = call(&provider);
        tokio::pin!(trial);
        assert!(futures::poll!(&mut trial).is_pending());
        assert_eq!(call(&provider).await.unwrap_err().code(), Some(CIRCUIT_OPEN));
    }
    call(&provider).await.unwrap();
    call(&provider).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn errors_of_a_platform_that_is_there_do_not_open_it() {
    let fake = Fake::new();
    let provider = CircuitBreaker::new(1, OPEN).on(fake.provider());
    for kind in [ErrorKind::NotFound, ErrorKind::Auth, ErrorKind::RateLimited { retry_after: None }] {
        fake.fail(kind);
        assert_eq!(call(&provider).await.unwrap_err().kind(), kind);
    }
    call(&provider).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_failures_in_a_row_open_it() {
    let fake = Fake::new();
    let provider = CircuitBreaker::new(2, OPEN).on(fake.provider());
    for _ in 0..5 {
        fake.fail(ErrorKind::Unavailable);
        call(&provider).await.unwrap_err();
        call(&provider).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_before_it_opened_changes_nothing() {
    let circuit = Circuit::new(1, OPEN);
    let now = Instant::now();
    let (early, late) = (circuit.enter(now).unwrap(), circuit.enter(now).unwrap());
    assert_eq!(early.report(Verdict::Failure, now), Some("open"));
    assert_eq!(late.report(Verdict::Success, now), None);
    assert_eq!(circuit.enter(now).unwrap_err(), OPEN);
}

#[tokio::test(start_paused = true)]
async fn commands_that_take_too_long_are_their_callers_and_open_nothing() {
    let fake = Fake::new();
    let provider = CircuitBreaker::new(3, OPEN).on(fake.provider());
    for _ in 0..6 {
        fake.fail(ErrorKind::Timeout);
        let options = crate::provider::ExecOptions::new(["sleep", "60"]);
        assert_eq!(provider.exec(&id("a"), options).await.unwrap_err().code(), None);
    }
    call(&provider).await.unwrap();
}
