//! No room: in one region, in all of them, in every shape in which the platform says so.

use agcluster_core::provider::{CapacityScope, DestroyOptions, ErrorKind};
use agcluster_tests::platforms::fly_machines::{Fault, Full};
use serde_json::json;

use super::{empty, spec};

#[tokio::test]
async fn the_next_region_is_taken_whatever_the_words() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    for full in Full::ALL {
        platform.fill("iad", Some(full));
        let id = provider.create(spec("s")).await.unwrap_or_else(|error| panic!("{full:?}: {error}")).id;
        assert_eq!(platform.machines()[0]["region"], "ord", "{full:?}");
        provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    }
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn no_room_anywhere_is_said_with_the_setting_to_change() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    for full in Full::ALL {
        platform.fill("iad", Some(full));
        platform.fill("ord", Some(full));
        let error = provider.create(spec("s")).await.unwrap_err();
        let expected = match full {
            Full::HostMemory | Full::HostCpus | Full::Disabled => ErrorKind::Capacity(CapacityScope::Host),
            Full::Quota | Full::MachineLimit => ErrorKind::Quota,
            _ => ErrorKind::Capacity(CapacityScope::Region),
        };
        assert_eq!(error.kind(), expected, "{full:?}: {error}");
        assert!(
            error.message().contains("in iad, ord") && error.message().contains("more regions"),
            "{error}"
        );
        assert!(error.request_id().is_some() && error.code().is_some(), "{error}");
        assert!(!error.to_string().contains("102400"), "the platform's own words reached a user: {error}");
    }
    platform.stop().await.unwrap();
}

/// What is worth another try is told rather than what is not.
#[tokio::test]
async fn of_several_reasons_the_one_that_passes_counts() {
    let platform = empty().await;
    platform.fill("iad", Some(Full::HostMemory));
    platform.fill("ord", Some(Full::Quota));
    let error = platform.provider().unwrap().create(spec("s")).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_full_host_of_a_stopped_machine_is_capacity() {
    let platform = empty().await;
    let provider = platform.provider().unwrap();
    let id = provider.create(spec("s")).await.unwrap().id;
    provider.stop(&id, Default::default()).await.unwrap();
    let (status, body) = Full::HostMemory.answer("iad");
    platform.order("start", Fault::Answer(status, body.clone()));
    let error = provider.start(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity(CapacityScope::Host), "{error}");
    // A success that is none.
    let text = body["error"].clone();
    platform.order(
        "start",
        Fault::Answer(200, json!({"status": "error", "message": text, "previous_state": "stopped"})),
    );
    let error = provider.start(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity(CapacityScope::Host), "{error}");
    provider.destroy(&id, DestroyOptions::default()).await.unwrap();
    platform.stop().await.unwrap();
}

#[tokio::test]
async fn a_region_that_is_none_names_the_setting() {
    let platform = empty().await;
    let provider = platform.provider_with(&json!({"regions": "xyz"})).unwrap();
    let error = provider.create(spec("s")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.message().contains("regions (FLY_REGION)"), "{error}");
    platform.stop().await.unwrap();
}
