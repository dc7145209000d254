//! How many requests the platform is sent, and how fast.

use std::time::Duration;

use agcluster_core::provider::DestroyOptions;
use agcluster_tests::platforms::fly_machines::{
    FlyMachinesPlatform, Options, launches_at_documented_rate, requests_per_launch,
};
use serde_json::json;

use super::{actions, empty, spec};

/// On a clock that goes on whenever nobody has anything to do: the documented rates, without their minutes.
#[tokio::test(start_paused = true)]
async fn a_hundred_launches_at_the_documented_rate_are_never_refused() {
    let launches = launches_at_documented_rate(100).await.unwrap();
    assert_eq!((launches.launched, launches.refused), (100, 0), "{launches:?}");
    assert!(launches.took >= Duration::from_secs(96), "the platform takes one a second: {launches:?}");
    assert!(launches.took <= Duration::from_secs(110), "{launches:?}");
}

/// The count of the fake is none that lets everything pass.
#[tokio::test(start_paused = true)]
async fn who_asks_faster_is_refused() {
    let platform = FlyMachinesPlatform::start_with(Options { docker: false, clock: 1 }).await.unwrap();
    let provider = platform.provider_with(&json!({"rate": {"per_second": 50, "burst": 50}})).unwrap();
    let created =
        futures::future::join_all((0..10).map(|number| provider.create(spec(&format!("s{number}"))))).await;
    let refused: Vec<_> = created.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), 7, "{refused:?}");
    for error in refused {
        assert!(error.is_retryable() && error.message().contains("rate.per_second"), "{error}");
    }
    let patient = platform.provider().unwrap();
    for container in patient.list(Default::default()).await.unwrap() {
        patient.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    }
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_launch_takes_two_requests() {
    assert_eq!(requests_per_launch().await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_asked_than_is_needed() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let id = provider.create(spec("s")).await.unwrap().id;
    provider.endpoint(&id).await.unwrap();
    assert_eq!(actions(&platform), ["create_machine", "wait"]);
    platform.forget_requests();
    provider.endpoint(&id).await.unwrap();
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    assert_eq!(actions(&platform), ["get_machine", "delete_machine", "wait"]);
    platform.stop().await.unwrap();
}
