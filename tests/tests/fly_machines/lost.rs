//! Answers that never come, and what was done all the same.

use agcluster_core::layers::{Retry, Stack};
use agcluster_core::provider::{ContainerState, DestroyOptions, ErrorKind};
use agcluster_tests::platforms::fly_machines::{Fault, ORGANIZATION};
use serde_json::json;

use super::{actions, empty, spec};

#[tokio::test]
async fn a_machine_whose_making_was_never_answered_is_taken_over() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    platform.order("create_machine", Fault::LostAnswer);
    let container = provider.create(spec("s")).await.unwrap();
    assert_eq!(container.state, ContainerState::Running);
    assert_eq!(platform.machines().len(), 1);
    assert_eq!(actions(&platform).iter().filter(|action| **action == "create_machine").count(), 1);
    provider.destroy(&container.id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_that_never_arrived_is_worth_another_try() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    platform.order("create_machine", Fault::LostRequest);
    let error = provider.create(spec("s")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
    assert_eq!(platform.machines().len(), 0);

    let retried = Stack::of(provider).with(Retry::default().seeded(1)).build();
    platform.order("create_machine", Fault::LostRequest);
    platform.order("create_machine", Fault::Answer(502, json!("bad gateway")));
    platform.order("wait", Fault::LostAnswer);
    let id = retried.create(spec("s")).await.unwrap().id;
    assert_eq!(platform.machines().len(), 1);
    platform.order("delete_machine", Fault::LostAnswer);
    retried.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

/// The name is the key: what is known by it is adopted, also when the platform does not say which machine has it.
#[tokio::test]
async fn a_taken_name_is_looked_for_when_the_refusal_does_not_say_by_whom() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let first = provider.create(spec("s")).await.unwrap();
    platform.order(
        "create_machine",
        Fault::Answer(409, json!({"error": "already_exists: unique machine name violation"})),
    );
    assert_eq!(provider.create(spec("s")).await.unwrap().id, first.id);
    provider.destroy(&first.id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_name_of_another_cluster_is_not_taken_over() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let theirs = provider.create(spec("s")).await.unwrap();
    let mut ours = spec("s");
    ours.labels.cluster = "another".to_owned();
    let error = provider.create(ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(platform.machines().len(), 1);
    provider.destroy(&theirs.id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

/// An app is made before its machine; what a crash leaves in between is found and removed.
#[tokio::test]
async fn an_app_without_its_machine_is_remains() {
    let platform = empty().await;
    let own = json!({"mode": "per_session", "organization": ORGANIZATION});
    let provider = platform.provider_with(&own).unwrap();
    let id = provider.create(spec("s")).await.unwrap().id;
    let (app, machine) = id.0.split_once(':').unwrap();
    let path = format!("/apps/{app}/machines/{machine}?force=true");
    platform.request(reqwest::Method::DELETE, &path).send().await.unwrap().error_for_status().unwrap();

    let filter = agcluster_core::provider::ListFilter::cluster("test");
    let found = provider.list(filter.clone()).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].state, ContainerState::Remains);
    // The same container can still be made in it, and it has one address only.
    let again = provider.create(spec("s")).await.unwrap();
    assert!(again.id.0.starts_with(app));
    assert_eq!(actions(&platform).iter().filter(|action| **action == "assign_address").count(), 1);
    provider.destroy(&again.id, DestroyOptions::default()).await.unwrap();
    assert_eq!(provider.list(filter).await.unwrap(), vec![]);
    platform.stop().await.unwrap();
}

/// After an error nothing is left, the app neither.
#[tokio::test]
async fn a_creation_that_fails_leaves_no_app() {
    let platform = empty().await;
    let own = json!({"mode": "per_session", "organization": ORGANIZATION, "regions": ["xyz"]});
    let provider = platform.provider_with(&own).unwrap();
    assert_eq!(provider.create(spec("s")).await.unwrap_err().kind(), ErrorKind::Invalid);
    platform.order("assign_address", Fault::Answer(422, json!({"error": "no"})));
    assert_eq!(provider.create(spec("t")).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(platform.left_behind().await.unwrap(), Vec::<String>::new());
    platform.stop().await.unwrap();
}
