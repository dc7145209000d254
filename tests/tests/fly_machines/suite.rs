//! The behaviour suite, with apps shared and apps of each container's own.

use agcluster_core::conformance::{Context, run_all};
use agcluster_core::provider::ListFilter;
use agcluster_tests::platforms::fly_machines::{FlyMachinesPlatform, ORGANIZATION};
use serde_json::{Value, json};

async fn conforms(changes: Value, name: &str) {
    let platform = FlyMachinesPlatform::start().await.unwrap();
    let make = || platform.provider_with(&changes).unwrap();
    let report = run_all(&Context::new(make(), name).with_successor(make())).await;
    println!("{report}");
    assert!(report.is_success(), "\n{report}");
    assert_eq!(make().list(ListFilter::default()).await.unwrap(), vec![]);
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_one_app_conform() {
    conforms(json!({}), "fly-shared").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_with_apps_of_their_own_conform() {
    let own = json!({"mode": "per_session", "organization": ORGANIZATION, "app": null});
    conforms(own, "fly-own").await;
}
