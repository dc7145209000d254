//! The `fly_machines` provider on the fake of its platform: the behaviour suite, and the platform's known bad days.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "fly_machines/bad_days.rs"]
mod bad_days;
#[path = "fly_machines/capacity.rs"]
mod capacity;
#[path = "fly_machines/lost.rs"]
mod lost;
#[path = "fly_machines/proxy.rs"]
mod proxy;
#[path = "fly_machines/rate.rs"]
mod rate;
#[path = "fly_machines/states.rs"]
mod states;
#[path = "fly_machines/suite.rs"]
mod suite;

use agcluster_core::agent::{AgentClient, AgentToken, TokenKey, wait_until_healthy};
use agcluster_core::protocol::{Health, Secret, TOKEN_DIGEST_ENV};
use agcluster_core::provider::{ContainerId, ContainerProvider, ContainerSpec, Labels};
use agcluster_tests::platforms::fly_machines::{FlyMachinesPlatform, Options};

/// A platform whose machines are empty: enough for what is not about agents.
async fn empty() -> FlyMachinesPlatform {
    FlyMachinesPlatform::start_with(Options { docker: false, ..Options::default() }).await.unwrap()
}

/// A session's first container, and the token that its agent server takes.
fn session(name: &str) -> (ContainerSpec, AgentToken) {
    let token = TokenKey::from_secret(&Secret::new("fly")).token(name, 1);
    let mut spec = ContainerSpec::new(Labels {
        cluster: "test".to_owned(),
        session: name.to_owned(),
        agent: "agent-test".to_owned(),
        generation: 1,
        expires_at: None,
    });
    spec.env.insert(TOKEN_DIGEST_ENV.to_owned(), token.digest());
    (spec, token)
}

fn spec(name: &str) -> ContainerSpec {
    session(name).0
}

/// Waits until a container's agent server answers.
async fn healthy(provider: &dyn ContainerProvider, id: &ContainerId, token: &AgentToken) -> Health {
    let endpoint = provider.endpoint(id).await.unwrap();
    let client = AgentClient::new(&endpoint, token).unwrap();
    wait_until_healthy(&client, std::time::Duration::from_secs(60)).await.unwrap()
}

/// The actions that a platform was asked for, in their order.
fn actions(platform: &FlyMachinesPlatform) -> Vec<&'static str> {
    platform.requests().iter().map(|request| request.action).collect()
}
