//! Terminals, commands, and what is measured, over HTTP and WebSockets: end to end, in this process and in containers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod exec;
mod exec_again;
mod logs_again;
mod looking;
mod places;
mod refusals;
mod terminal;

use std::time::Duration;

use agcluster_tests::system::{Api, Provider, Session, System};
use serde_json::json;

/// Everything here takes a moment; on a busy machine it may take a while.
const LIMIT: Duration = Duration::from_secs(60);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap()
}

async fn system() -> System {
    System::start(Provider::Memory).await.unwrap()
}

async fn scripted(api: &Api) -> Session {
    api.launch(json!({ "driver": "scripted" })).await.unwrap()
}
