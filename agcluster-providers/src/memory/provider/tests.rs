use std::time::Duration;

use agcluster_core::agent::{AgentClient, AgentError, AgentToken, TokenKey, wait_until_healthy};
use agcluster_core::protocol::{Configure, DriverKind};
use agcluster_core::provider::Labels;
use futures::StreamExt;

use super::*;

/// A container of a session, and the token of its agent server.
fn session(name: &str) -> (ContainerSpec, AgentToken) {
    let labels = Labels {
        cluster: "test".to_owned(),
        session: name.to_owned(),
        agent: "agent".to_owned(),
        generation: 1,
        expires_at: None,
    };
    let token = TokenKey::random().unwrap().token(name, 1);
    let mut spec = ContainerSpec::new(labels);
    spec.env.insert(TOKEN_DIGEST_ENV.to_owned(), token.digest());
    (spec, token)
}

async fn client(provider: &MemoryProvider, id: &ContainerId, token: &AgentToken) -> AgentClient {
    AgentClient::new(&provider.endpoint(id).await.unwrap(), token).unwrap()
}

fn configure(driver: DriverKind) -> Configure {
    Configure {
        session: "s".to_owned(),
        generation: 1,
        driver,
        options: Default::default(),
        model_access: None,
        resume: None,
        transcript: Vec::new(),
        files: std::collections::BTreeMap::new(),
        acknowledges: false,
    }
}

#[tokio::test]
async fn a_fault_is_given_once_and_in_order() {
    let provider = MemoryProvider::default();
    provider.fail_next("create", ErrorKind::Quota);
    provider.fail_next("create", ErrorKind::Timeout);
    let (spec, _) = session("s");
    for kind in [ErrorKind::Quota, ErrorKind::Timeout] {
        let error = provider.create(spec.clone()).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, "create"));
    }
    assert!(provider.create(spec).await.is_ok());
}

#[tokio::test]
async fn a_crash_breaks_streams_in_the_middle() {
    let provider = MemoryProvider::default();
    let (spec, token) = session("s");
    let id = provider.create(spec).await.unwrap().id;
    let client = client(&provider, &id, &token).await;
    client.configure(&configure(DriverKind::Scripted)).await.unwrap();
    let mut events = client.events(0).await.unwrap();
    assert!(provider.crash(&id));
    while let Ok(Some(_)) = events.next().await.transpose() {}
    assert!(matches!(client.health().await, Err(AgentError::Unreachable(_))));
    assert!(!provider.crash(&id));
    assert_eq!(provider.endpoint(&id).await.unwrap_err().kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn connections_can_be_refused_for_a_while() {
    let provider = MemoryProvider::default();
    let (spec, token) = session("s");
    let id = provider.create(spec).await.unwrap().id;
    let client = client(&provider, &id, &token).await;
    provider.refuse_connections(&id, true);
    assert!(matches!(client.health().await, Err(AgentError::Unreachable(_))));
    provider.refuse_connections(&id, false);
    assert!(wait_until_healthy(&client, Duration::from_secs(60)).await.is_ok());
}

#[tokio::test]
async fn an_agent_that_is_a_program_is_refused() {
    let provider = MemoryProvider::default();
    let (spec, token) = session("s");
    let id = provider.create(spec).await.unwrap().id;
    let client = client(&provider, &id, &token).await;
    let answer = client.configure(&configure(DriverKind::Claude)).await;
    assert!(matches!(answer, Err(AgentError::Refused { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_full_platform_says_so_and_a_token_is_needed() {
    let provider = MemoryProvider::new(MemoryConfig { max_containers: 1, ..MemoryConfig::default() });
    provider.create(session("a").0).await.unwrap();
    let error = provider.create(session("b").0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Capacity(CapacityScope::Platform));
    let mut spec = session("a").0;
    spec.env.clear();
    assert_eq!(provider.create(spec).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn thousands_of_containers_fit() {
    let provider = MemoryProvider::default();
    for number in 0..5_000 {
        provider.create(session(&format!("s{number}")).0).await.unwrap();
    }
    assert_eq!(provider.list(ListFilter::default()).await.unwrap().len(), 5_000);
}
