//! Many sessions on a platform that has a bad day: nothing is made twice, nothing is left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agcluster_core::layers::{Call, Chaos, Failover, Layer, Next, Operation, Retry, Stack, Timeout};
use agcluster_core::protocol::TOKEN_DIGEST_ENV;
use agcluster_core::provider::{
    Container, ContainerId, ContainerProvider, ContainerSpec, DestroyOptions, Labels, ListFilter, Result,
    StopOptions,
};
use agcluster_providers::memory::MemoryProvider;
use futures::future::join_all;

const SEEDS: u64 = 200;
const SESSIONS: usize = 12;

fn spec(session: usize) -> ContainerSpec {
    let mut spec = ContainerSpec::new(Labels {
        cluster: "churn".into(),
        session: format!("s{session}"),
        agent: "agent".into(),
        generation: 1,
        expires_at: None,
    });
    spec.env.insert(TOKEN_DIGEST_ENV.to_owned(), "ab".repeat(32));
    spec
}

async fn listed(provider: &dyn ContainerProvider, session: Option<String>) -> Vec<Container> {
    provider.list(ListFilter { cluster: Some("churn".into()), session }).await.unwrap()
}

/// Counts the creates that reach the platform.
#[derive(Debug, Clone, Default)]
struct Creates(Arc<AtomicUsize>);

impl Layer for Creates {
    async fn around<'a, T: Send + 'a>(&'a self, call: Call<'a>, mut next: Next<'a, T>) -> Result<T> {
        if call.operation == Operation::Create {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        next.run().await
    }
}

/// What an owner does who wants a thing done: it is done again until it is, since each is idempotent.
async fn insist<T>(mut act: impl AsyncFnMut() -> Result<T>) -> T {
    loop {
        match act().await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// One session's life; every third caller goes away in the middle of a create and comes back.
async fn live(
    provider: &dyn ContainerProvider,
    platforms: &[&MemoryProvider],
    session: usize,
) -> ContainerId {
    let spec = spec(session);
    if session.is_multiple_of(3) {
        let patience = Duration::from_millis(7 * session as u64);
        let _ = tokio::time::timeout(patience, provider.create(spec.clone())).await;
    }
    let made = insist(async || provider.create(spec.clone()).await).await;
    let mut there = Vec::new();
    for platform in platforms {
        there.extend(listed(*platform, Some(spec.labels.session.clone())).await);
    }
    assert_eq!(there.len(), 1, "one session, one container: {there:?}");
    assert!(made.id.0.ends_with(&there[0].id.0));
    assert_eq!(made.created_at, there[0].created_at, "the one that is there was answered");
    if session.is_multiple_of(2) {
        insist(async || provider.stop(&made.id, StopOptions::default()).await).await;
        insist(async || provider.start(&made.id).await).await;
    }
    made.id
}

async fn remove(provider: &dyn ContainerProvider, id: &ContainerId) {
    insist(async || provider.destroy(id, DestroyOptions::default()).await).await;
}

#[tokio::test(start_paused = true)]
async fn under_chaos_and_retry_nothing_leaks_and_nothing_is_made_twice() {
    let creates = Creates::default();
    for seed in 0..SEEDS {
        let platform = MemoryProvider::default();
        let provider = Stack::of(Arc::new(platform.clone()))
            .with(creates.clone())
            .with(Chaos::seeded(seed).errors(0.1).lost_answers(0.1).latency(Duration::from_millis(50)))
            .with(Timeout::new(Duration::from_secs(5)))
            .with(Retry::default().seeded(seed))
            .build();
        let platforms = [&platform];
        let ids = join_all((0..SESSIONS).map(|session| live(&*provider, &platforms, session))).await;
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), SESSIONS);
        assert_eq!(listed(&platform, None).await.len(), SESSIONS, "seed {seed}");
        join_all(ids.iter().map(|id| remove(&*provider, id))).await;
        assert!(listed(&platform, None).await.is_empty(), "seed {seed} leaks");
    }
    let wanted = SEEDS as usize * SESSIONS;
    let made = creates.0.load(Ordering::Relaxed);
    assert!(made > wanted + wanted / 20, "lost answers were repeated: {made} creates for {wanted}");
}

#[tokio::test(start_paused = true)]
async fn under_failover_a_session_is_on_one_platform_only() {
    let mut moved = 0;
    for seed in 0..SEEDS {
        let (near, far) = (MemoryProvider::default(), MemoryProvider::default());
        let bad = Chaos::seeded(seed).errors(0.2).lost_answers(0.2).latency(Duration::from_millis(50));
        let near_stack = Stack::of(Arc::new(near.clone())).with(bad.only([Operation::Create])).build();
        let provider = Failover::new([("near", near_stack), ("far", Arc::new(far.clone()))]).unwrap();
        let platforms = [&near, &far];
        let ids = join_all((0..SESSIONS).map(|session| live(&provider, &platforms, session))).await;
        moved += ids.iter().filter(|id| id.0.starts_with("far:")).count();
        join_all(ids.iter().map(|id| remove(&provider, id))).await;
        assert!(
            listed(&near, None).await.is_empty() && listed(&far, None).await.is_empty(),
            "seed {seed} leaks"
        );
    }
    assert!(moved > SEEDS as usize, "some sessions moved: {moved}");
}
