//! The example, registered as an application would, and put through the behaviour suite.

use std::sync::Arc;

use agcluster_core::conformance::{Context, run_all};
use agcluster_core::layers::{Layer, Retry};
use agcluster_core::provider::{ContainerProvider, ErrorKind, ProviderFactory};
use command_line_provider::{PLATFORM, register};
use serde_json::{Value, json};

fn factory() -> ProviderFactory {
    let mut factory = ProviderFactory::new();
    register(&mut factory);
    factory
}

/// As every server has it: calls that another one was in the way of are made again.
async fn provider() -> Arc<dyn ContainerProvider> {
    Retry::default().on(factory().create(PLATFORM, Value::Null).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_behaves() {
    let run = format!("example-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let report = run_all(&Context::new(provider().await, run).with_successor(provider().await)).await;
    println!("{report}");
    assert!(report.is_success(), "\n{report}");
}

#[tokio::test]
async fn a_wrong_field_is_refused() {
    let error = factory().create(PLATFORM, json!({ "imgae": "agent" })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
