//! What can be asked of an agent server.

use std::time::Duration;

use agcluster_protocol::resources::{EnvironmentNames, ResourceUse};
use agcluster_protocol::{
    Accepted, Ack, Answer, Configure, Configured, Health, Interrupt, Interrupted, Liveness, Problem, Query,
    RestartProgram, Settings, Steer, TurnId, paths,
};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::transport::{self, Call, Transport};
use super::{AgentError, AgentToken, EventStream, Result};
use crate::provider::Endpoint;

/// How long a small request may take, connection included.
const CALL: Duration = Duration::from_secs(15);
/// How long `/configure` may take: it starts the agent program.
const CONFIGURE: Duration = Duration::from_secs(90);
/// How long a health check may take.
const HEALTH: Duration = Duration::from_secs(2);

/// The longest code and sentence of a refusal that are taken, in bytes.
const MOST_OF_A_CODE: usize = 64;
const MOST_OF_A_SENTENCE: usize = 1000;

/// A client of one agent server. Cheap to clone.
#[derive(Clone)]
pub struct AgentClient {
    pub(super) transport: Transport,
}

impl std::fmt::Debug for AgentClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentClient")
    }
}

impl AgentClient {
    /// A client for an endpoint. Connects with the first request.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`] when no HTTP client can be built on this machine.
    pub fn new(endpoint: &Endpoint, token: &AgentToken) -> Result<Self> {
        Ok(Self { transport: Transport::new(endpoint, token)? })
    }

    /// Whether another client reaches the same address, as far as addresses can be told apart.
    pub fn is_at(&self, other: &Self) -> bool {
        self.transport.is_at(&other.transport)
    }

    /// Who is there and how far it has come.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`] while it does not listen.
    pub async fn health(&self) -> Result<Health> {
        self.call(Call::get("health", paths::HEALTH, HEALTH)).await
    }

    /// What runs in the container, and since when each part of it has been silent.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`] or [`AgentError::Timeout`] when the agent server itself is what is stuck.
    pub async fn liveness(&self) -> Result<Liveness> {
        self.call(Call::get("liveness", paths::LIVENESS, HEALTH)).await
    }

    /// What the container uses now.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`] or [`AgentError::Timeout`] when it does not answer.
    pub async fn resources(&self) -> Result<ResourceUse> {
        self.call(Call::get("resources", paths::RESOURCES, CALL)).await
    }

    /// Which of these variables the agent program has. Names are of letters, digits and underscores.
    ///
    /// # Errors
    /// [`AgentError::Unreachable`] or [`AgentError::Timeout`] when it does not answer.
    pub async fn environment(&self, names: &[&str]) -> Result<EnvironmentNames> {
        let path = format!("{}?names={}", paths::ENVIRONMENT, names.join(","));
        self.call(Call::get("environment", &path, CALL)).await
    }

    /// Gives the agent server its session and waits until the agent program is ready. May be repeated.
    ///
    /// # Errors
    /// [`AgentError::Refused`] when the agent program is absent or does not start.
    pub async fn configure(&self, configure: &Configure) -> Result<Configured> {
        self.call(Call::post("configure", paths::CONFIGURE, json(configure)?, CONFIGURE)).await
    }

    /// Starts a turn. May be repeated with the same turn id.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with [`busy`](agcluster_protocol::codes::BUSY) while another turn runs.
    pub async fn query(&self, query: &Query) -> Result<Accepted> {
        self.call(Call::post("query", paths::QUERY, json(query)?, CALL)).await
    }

    /// Adds a prompt to a turn that runs, which is told by a `PromptAdded` event after the answer's cursor. May be repeated
    /// with the same id.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with [`idle`](agcluster_protocol::codes::IDLE) when that turn does not run (any more), and with
    /// [`unsupported`](agcluster_protocol::codes::UNSUPPORTED) when the driver cannot.
    pub async fn steer(&self, steer: &Steer) -> Result<Accepted> {
        self.call(Call::post("steer", paths::STEER, json(steer)?, CALL)).await
    }

    /// Says that everything up to `seq` is in safe keeping, so that the agent server may forget it. May be repeated; a lower
    /// number than before changes nothing.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with [`stale_generation`](agcluster_protocol::codes::STALE_GENERATION), or with
    /// [`cursor_in_future`](agcluster_protocol::codes::CURSOR_IN_FUTURE) for a number that no event has yet.
    pub async fn ack(&self, generation: u32, seq: u64) -> Result<()> {
        self.send(Call::post("ack", paths::ACK, json(&Ack { generation, seq })?, CALL)).await.map(drop)
    }

    /// Kills the agent program, ends its turn as failed, starts it again with its conversation and waits until it is ready.
    /// Giving up waiting does not stop it.
    ///
    /// # Errors
    /// [`AgentError::Refused`] when it does not start.
    pub async fn restart_program(&self, generation: u32) -> Result<Configured> {
        let body = json(&RestartProgram { generation })?;
        self.call(Call::post("restart-program", paths::RESTART_PROGRAM, body, CONFIGURE)).await
    }

    /// Ends a turn, or whichever runs where none is named; its terminal event follows in the stream.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with [`idle`](agcluster_protocol::codes::IDLE) when that turn does not run, or none does.
    pub async fn interrupt(&self, turn: Option<TurnId>) -> Result<Interrupted> {
        self.call(Call::post("interrupt", paths::INTERRUPT, json(&Interrupt { turn })?, CALL)).await
    }

    /// Answers a permission request or a question.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with [`unknown_request`](agcluster_protocol::codes::UNKNOWN_REQUEST) when nobody waits for it.
    pub async fn answer(&self, answer: &Answer) -> Result<()> {
        self.send(Call::post("answer", paths::ANSWER, json(answer)?, CALL)).await.map(drop)
    }

    /// Changes model or permission mode.
    ///
    /// # Errors
    /// [`AgentError::Refused`] when the agent program does not take it.
    pub async fn settings(&self, settings: &Settings) -> Result<()> {
        self.send(Call::post("settings", paths::SETTINGS, json(settings)?, CALL)).await.map(drop)
    }

    /// Every event after `after`, then live ones. Dropping the stream ends nothing in the container.
    ///
    /// # Errors
    /// [`AgentError::Refused`] with [`cursor_expired`](agcluster_protocol::codes::CURSOR_EXPIRED) when events after the
    /// cursor are no longer there.
    pub async fn events(&self, after: u64) -> Result<EventStream> {
        let path = format!("{}?after={after}", paths::EVENTS);
        let (status, body) = self.transport.send(Call::get("events", &path, CALL)).await?;
        if status != StatusCode::OK {
            return Err(refusal("events", status, body).await);
        }
        Ok(EventStream::new(body))
    }

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T> {
        let operation = call.operation;
        serde_json::from_slice(&self.send(call).await?).map_err(|error| {
            AgentError::Protocol(format!("the answer to {operation} cannot be read: {error}"))
        })
    }

    async fn send(&self, call: Call<'_>) -> Result<Vec<u8>> {
        let operation = call.operation;
        let (status, body) = self.transport.send(call).await?;
        if !status.is_success() {
            return Err(refusal(operation, status, body).await);
        }
        transport::read_all(operation, body, CALL).await
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| AgentError::Protocol(error.to_string()))
}

pub(super) async fn refusal(
    operation: &'static str,
    status: StatusCode,
    body: transport::Body,
) -> AgentError {
    match transport::read_all(operation, body, CALL).await {
        Ok(bytes) => match serde_json::from_slice::<Problem>(&bytes) {
            Ok(mut problem) => {
                bound(&mut problem.code, MOST_OF_A_CODE);
                bound(&mut problem.detail, MOST_OF_A_SENTENCE);
                AgentError::Refused { status, problem }
            }
            // Not the agent server's words but those of a proxy before it, which does not reach it (yet).
            Err(_) if is_from_the_way(status) => {
                AgentError::Unreachable(format!("{operation} was answered with {status} by a proxy").into())
            }
            Err(_) => AgentError::Protocol(format!("{operation} was answered with {status} and no reason")),
        },
        Err(error) => error,
    }
}

/// Cuts a text that comes from a container and is going to be shown.
fn bound(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

/// Whether a status without a reason means that a proxy found nobody behind it.
fn is_from_the_way(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::agent::TokenKey;
    use crate::provider::Address;

    async fn health_answered(status: u16, body: &str) -> AgentError {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).set_body_string(body);
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let endpoint = Endpoint::new(Address::Http(server.uri().parse().unwrap()));
        let token = TokenKey::random().unwrap().token("s", 1);
        AgentClient::new(&endpoint, &token).unwrap().health().await.unwrap_err()
    }

    #[tokio::test]
    async fn a_proxy_that_finds_nobody_is_worth_another_try_and_a_refusal_is_not() {
        for status in [502, 503, 504] {
            assert!(health_answered(status, "no machine answers").await.is_retryable(), "{status}");
        }
        assert!(!health_answered(500, "no reason").await.is_retryable());
        let problem = r#"{"type":"about:blank","title":"t","status":503,"code":"x","detail":"d"}"#;
        assert!(matches!(health_answered(503, problem).await, AgentError::Refused { .. }));
    }
}
