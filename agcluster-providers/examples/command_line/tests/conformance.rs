//! The example, registered as an application would, and put through the behaviour suite.

use agcluster_core::conformance::{Context, run_all};
use agcluster_core::provider::{ErrorKind, ProviderFactory};
use serde_json::{Value, json};

fn factory() -> ProviderFactory {
    let mut factory = ProviderFactory::new();
    command_line_provider::register(&mut factory);
    factory
}

#[tokio::test(flavor = "multi_thread")]
async fn it_behaves() {
    let make = || async { factory().create(command_line_provider::PLATFORM, Value::Null).await.unwrap() };
    let run = format!("example-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let report = run_all(&Context::new(make().await, run).with_successor(make().await)).await;
    println!("{report}");
    assert!(report.is_success(), "\n{report}");
}

#[tokio::test]
async fn a_wrong_field_is_refused() {
    let error =
        factory().create(command_line_provider::PLATFORM, json!({ "programm": "docker" })).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
