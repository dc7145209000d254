//! A fifth of all requests goes wrong, there or on the way back: nothing is made twice, and nothing stays.

use std::sync::Arc;
use std::time::Duration;

use agcluster_core::layers::{Retry, Stack};
use agcluster_core::provider::{ContainerProvider, DestroyOptions, ListFilter};
use agcluster_tests::platforms::fly_machines::{FlyMachinesPlatform, ORGANIZATION};
use serde_json::{Value, json};

use super::{empty, spec};

const SEEDS: u64 = 200;
const PERCENT: u64 = 20;

fn patient(platform: &FlyMachinesPlatform, changes: &Value, seed: u64) -> Arc<dyn ContainerProvider> {
    let retry = Retry::default()
        .seeded(seed)
        .attempts(8)
        .waits(Duration::from_millis(10), Duration::from_millis(100));
    Stack::of(platform.provider_with(changes).unwrap()).with(retry).build()
}

/// Removes whatever there is of a session, as a server does after a launch that failed.
async fn remove_all(provider: &dyn ContainerProvider, filter: &ListFilter) -> bool {
    let Ok(found) = provider.list(filter.clone()).await else { return false };
    for container in found {
        if provider.destroy(&container.id, DestroyOptions::default()).await.is_err() {
            return false;
        }
    }
    true
}

async fn bad_days(changes: Value, seeds: u64) {
    let platform = empty().await;
    let (mut launched, mut adopted) = (0, 0);
    for seed in 0..seeds {
        let provider = patient(&platform, &changes, seed);
        platform.misbehave(seed, PERCENT);
        let filter = ListFilter::cluster("test");
        if let Ok(container) = provider.create(spec("s")).await {
            launched += 1;
            assert_eq!(platform.machines().len(), 1, "seed {seed}");
            let again = provider.create(spec("s")).await;
            if let Ok(again) = again {
                adopted += 1;
                assert_eq!(again.id, container.id, "seed {seed}: it was made twice");
            }
            let _ = provider.destroy(&container.id, DestroyOptions::default()).await;
        }
        let mut rounds = 0;
        while !remove_all(&*provider, &filter).await {
            rounds += 1;
            assert!(rounds < 20, "seed {seed}: it cannot be removed");
        }
        platform.misbehave(seed, 0);
        assert_eq!(provider.list(filter).await.unwrap(), vec![], "seed {seed}");
        assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new(), "seed {seed}");
    }
    let wrong = platform.requests().iter().filter(|request| matches!(request.status, 429 | 503)).count();
    assert!(wrong as u64 > seeds / 10, "hardly anything went wrong: {wrong}");
    assert!(launched * 100 >= seeds * 97, "only {launched} of {seeds} were launched");
    assert!(adopted * 100 >= seeds * 95, "only {adopted} of {seeds} were taken over");
    platform.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn machines_of_one_app_are_made_once_and_none_stays() {
    bad_days(json!({}), SEEDS).await;
}

#[tokio::test(start_paused = true)]
async fn machines_with_apps_of_their_own_are_made_once_and_no_app_stays() {
    bad_days(json!({"mode": "per_session", "organization": ORGANIZATION}), SEEDS / 2).await;
}
