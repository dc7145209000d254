mod lasting;

use std::collections::HashSet;
use std::time::Duration;

use agcluster_protocol::{
    Accepted, Configured, Event, EventBody, FailureReason, Health, Interrupted, Outcome, Phase, Problem,
    TurnId,
};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures::StreamExt;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::{AgentServer, ServerConfig, TokenDigest};

const TOKEN: &str = "the-token";

struct Server {
    server: AgentServer,
    router: Router,
}

impl Server {
    fn new() -> Self {
        Self::with(ServerConfig::new(TokenDigest::of(TOKEN)))
    }

    fn with(config: ServerConfig) -> Self {
        let server = AgentServer::new(config);
        let router = server.router();
        Self { server, router }
    }

    async fn configured() -> Self {
        let server = Self::new();
        server.configure(1).await;
        server
    }

    async fn configure(&self, generation: u32) -> Configured {
        self.post("/configure", configuration(generation)).await.expect(StatusCode::OK).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        Answer(self.router.clone().oneshot(request).await.unwrap())
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request("POST", path).body(Body::from(body.to_string())).unwrap()).await
    }

    async fn query(&self, turn: TurnId, text: &str) -> Answer {
        self.post("/query", prompt(turn, text)).await
    }

    /// The events of a turn that needs no help.
    async fn turn(&self, text: &str) -> Vec<Event> {
        let request = request("POST", "/query").header("accept", "application/json, text/event-stream;q=0.9");
        let body = Body::from(prompt(TurnId::generate(), text).to_string());
        self.send(request.body(body).unwrap()).await.events().await
    }
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("authorization", format!("Bearer {TOKEN}"))
}

fn configuration(generation: u32) -> Value {
    json!({"session": "s", "generation": generation, "driver": "scripted"})
}

fn prompt(turn: TurnId, text: &str) -> Value {
    json!({"turn": turn, "generation": 1, "prompt": [{"type": "text", "text": text}]})
}

struct Answer(Response);

impl Answer {
    async fn expect<T: DeserializeOwned>(self, status: StatusCode) -> T {
        let is = self.0.status();
        let bytes = self.0.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(is, status, "{}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn refused(self, status: u16, code: &str) {
        assert_eq!(self.0.headers()["content-type"], "application/problem+json");
        let problem: Problem = self.expect(StatusCode::from_u16(status).unwrap()).await;
        assert_eq!(problem.code, code);
        assert!(problem.detail.len() > 10, "{}", problem.detail);
    }

    /// Every event to the end of the stream.
    async fn events(self) -> Vec<Event> {
        assert_eq!(self.0.status(), StatusCode::OK);
        assert_eq!(self.0.headers()["content-type"], "text/event-stream");
        let bytes = self.0.into_body().collect().await.unwrap().to_bytes();
        parse(std::str::from_utf8(&bytes).unwrap())
    }

    /// As many events as asked for, from a stream that does not end.
    async fn first(self, count: usize) -> Vec<Event> {
        assert_eq!(self.0.status(), StatusCode::OK);
        let mut body = self.0.into_body().into_data_stream();
        let mut events = Vec::new();
        while events.len() < count {
            let bytes = body.next().await.unwrap().unwrap();
            events.extend(parse(std::str::from_utf8(&bytes).unwrap()));
        }
        events
    }
}

fn parse(text: &str) -> Vec<Event> {
    let frames = text.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    frames
        .map(|frame| {
            let (id, data) = frame.strip_prefix("id: ").unwrap().split_once("\ndata: ").unwrap();
            let event: Event = serde_json::from_str(data).unwrap();
            assert_eq!(event.seq.to_string(), id);
            event
        })
        .collect()
}

fn outcome(events: &[Event]) -> &Outcome {
    let Some(EventBody::TurnEnded(end)) = events.last().map(|event| &event.body) else {
        panic!("{events:?}")
    };
    &end.outcome
}

#[tokio::test]
async fn health_needs_no_token_and_everything_else_does() {
    let server = Server::new();
    let health = |request: Request<Body>| async { server.send(request).await };
    let bare =
        |method: &str, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let answer: Health = health(bare("GET", "/health")).await.expect(StatusCode::OK).await;
    assert_eq!((answer.protocol, answer.phase, answer.generation), (1, Phase::Unconfigured, None));
    for (method, path) in [
        ("POST", "/configure"),
        ("POST", "/query"),
        ("GET", "/events"),
        ("POST", "/interrupt"),
        ("POST", "/answer"),
        ("POST", "/settings"),
        ("GET", "/liveness"),
        ("POST", "/ack"),
        ("POST", "/steer"),
        ("POST", "/restart-program"),
    ] {
        health(bare(method, path)).await.refused(401, "unauthorized").await;
        for wrong in ["Bearer wrong", "Basic the-token", "the-token", "Bearer", "Bearer \u{e9}"] {
            let request = Request::builder().method(method).uri(path).header("authorization", wrong);
            health(request.body(Body::empty()).unwrap()).await.refused(401, "unauthorized").await;
        }
    }
}

#[tokio::test]
async fn routes_that_are_not_there_and_wrong_methods_are_problems_too() {
    let server = Server::new();
    server.get("/nothing").await.refused(404, "not_found").await;
    server.get("/query").await.refused(405, "method_not_allowed").await;
    server.post("/health", json!({})).await.refused(405, "method_not_allowed").await;
}

#[tokio::test]
async fn before_the_configuration_there_is_nothing_to_ask() {
    let server = Server::new();
    server.query(TurnId::generate(), "x").await.refused(409, "not_configured").await;
    server.post("/interrupt", json!({})).await.refused(409, "not_configured").await;
    let answer = json!({"request_id": "r", "decision": "deny", "message": "no"});
    server.post("/answer", answer).await.refused(409, "not_configured").await;
    server.post("/settings", json!({"model": "m"})).await.refused(409, "not_configured").await;
}

#[tokio::test]
async fn a_configuration_is_taken_once_and_repeated_at_will() {
    let server = Server::new();
    let (first, second) = tokio::join!(server.configure(1), server.configure(1));
    assert_eq!(first, second);
    assert!(first.agent.starts_with("scripted ") && first.conversation.is_some());
    assert_eq!(server.configure(1).await, first);
    server.post("/configure", configuration(2)).await.refused(409, "already_configured").await;
    let health: Health = server.get("/health").await.expect(StatusCode::OK).await;
    assert_eq!((health.phase, health.generation), (Phase::Ready, Some(1)));
}

#[tokio::test]
async fn a_configuration_that_cannot_work_says_so_and_another_may_be_tried() {
    let mut config = ServerConfig::new(TokenDigest::of(TOKEN));
    config.programs.claude = "/nonexistent/claude".into();
    let server = Server::with(config);
    let claude =
        |access: Value| json!({"session": "s", "generation": 1, "driver": "claude", "model_access": access});
    server.post("/configure", claude(Value::Null)).await.refused(400, "invalid_request").await;
    let access = json!({"base_url": "http://127.0.0.1:1", "api_key": "k"});
    server.post("/configure", claude(access)).await.refused(422, "agent_not_found").await;
    let health: Health = server.get("/health").await.expect(StatusCode::OK).await;
    assert_eq!(health.phase, Phase::Failed);
    server.configure(2).await;
}

#[tokio::test]
async fn a_body_that_is_not_right_is_refused_without_being_repeated() {
    let server = Server::configured().await;
    for (path, body) in [
        (
            "/configure",
            r#"{"session":"s","generation":1,"driver":"claude","model_access":{"base_url":"x","api_key":["sk-secret"]}}"#,
        ),
        ("/configure", "{"),
        ("/query", "{}"),
        ("/query", ""),
        ("/answer", r#"{"request_id":"r","decision":"maybe"}"#),
        ("/settings", r#"{"permission_mode":"anything"}"#),
    ] {
        let answer = server.send(request("POST", path).body(Body::from(body)).unwrap()).await;
        let problem: Problem = answer.expect(StatusCode::BAD_REQUEST).await;
        assert_eq!(problem.code, "invalid_request");
        assert!(!problem.detail.contains("secret"), "{}", problem.detail);
    }
    let nothing = json!({"turn": TurnId::generate(), "generation": 1, "prompt": []});
    server.post("/query", nothing).await.refused(400, "invalid_request").await;
    let large = Body::from_stream(futures::stream::iter(
        (0..50).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20])),
    ));
    server.send(request("POST", "/query").body(large).unwrap()).await.refused(413, "too_large").await;
}

#[tokio::test]
async fn a_turn_is_accepted_streamed_and_ends() {
    let server = Server::configured().await;
    let turn = TurnId::generate();
    let accepted: Accepted = server.query(turn, "hello").await.expect(StatusCode::ACCEPTED).await;
    assert_eq!(accepted, Accepted { turn, after: 0 });
    let events = server.turn_of(turn).await;
    assert!(events.iter().all(|event| event.turn == Some(turn) && event.generation == 1));
    assert!(matches!(&events[0].body, EventBody::TurnStarted { prompt, .. } if prompt.len() == 1));
    assert_eq!(*outcome(&events), Outcome::Completed);
    assert_eq!(events.iter().filter(|event| event.is_terminal()).count(), 1);
}

impl Server {
    /// The events of a turn that is known: repeating its query starts nothing.
    async fn turn_of(&self, turn: TurnId) -> Vec<Event> {
        let request = request("POST", "/query").header("accept", "text/event-stream");
        self.send(request.body(Body::from(prompt(turn, "whatever").to_string())).unwrap())
            .await
            .events()
            .await
    }
}

#[tokio::test]
async fn a_repeated_query_starts_nothing_and_gets_the_first_answer() {
    let server = Server::configured().await;
    server.turn("before").await;
    let turn = TurnId::generate();
    let first: Accepted = server.query(turn, "@@hang").await.expect(StatusCode::ACCEPTED).await;
    let again: Accepted = server.query(turn, "@@hang").await.expect(StatusCode::ACCEPTED).await;
    assert_eq!(first, again);
    server.query(TurnId::generate(), "x").await.refused(409, "busy").await;
    let interrupted: Interrupted =
        server.post("/interrupt", json!({})).await.expect(StatusCode::ACCEPTED).await;
    assert_eq!(interrupted.turn, turn);
    assert_eq!(*outcome(&server.turn_of(turn).await), Outcome::Interrupted);
    server.post("/interrupt", json!({})).await.refused(409, "idle").await;
    let still: Accepted = server.query(turn, "@@hang").await.expect(StatusCode::ACCEPTED).await;
    assert_eq!(still, first);
}

#[tokio::test]
async fn an_interruption_ends_the_turn_that_it_names_and_no_other() {
    let server = Server::configured().await;
    let (past, present) = (TurnId::generate(), TurnId::generate());
    let _: Accepted = server.query(past, "over").await.expect(StatusCode::ACCEPTED).await;
    assert_eq!(*outcome(&server.turn_of(past).await), Outcome::Completed);
    let _: Accepted = server.query(present, "@@hang").await.expect(StatusCode::ACCEPTED).await;
    for other in [past, TurnId::generate()] {
        server.post("/interrupt", json!({"turn": other})).await.refused(409, "idle").await;
    }
    server.post("/interrupt", json!({"turn": "x"})).await.refused(400, "invalid_request").await;
    let named = server.post("/interrupt", json!({"turn": present})).await;
    assert_eq!(named.expect::<Interrupted>(StatusCode::ACCEPTED).await.turn, present);
    assert_eq!(*outcome(&server.turn_of(present).await), Outcome::Interrupted);

    let unnamed = TurnId::generate();
    let _: Accepted = server.query(unnamed, "@@hang").await.expect(StatusCode::ACCEPTED).await;
    let nothing = server.send(request("POST", "/interrupt").body(Body::empty()).unwrap()).await;
    assert_eq!(
        nothing.expect::<Interrupted>(StatusCode::ACCEPTED).await.turn,
        unnamed,
        "as older callers ask"
    );
    assert_eq!(*outcome(&server.turn_of(unnamed).await), Outcome::Interrupted);
}

#[tokio::test]
async fn a_query_for_another_generation_is_refused() {
    let server = Server::configured().await;
    let query =
        json!({"turn": TurnId::generate(), "generation": 2, "prompt": [{"type": "text", "text": "x"}]});
    server.post("/query", query).await.refused(409, "stale_generation").await;
}

#[tokio::test]
async fn events_are_read_from_any_cursor_and_live() {
    let server = Server::configured().await;
    let turn = server.turn("one two three").await;
    let count = turn.len();
    assert_eq!(server.get("/events").await.first(count).await, turn);
    assert_eq!(server.get("/events?after=2").await.first(count - 2).await, turn[2..]);
    // What a reconnecting client has seen counts more than what its URL says.
    let reconnect =
        request("GET", "/events?after=0").header("last-event-id", "3").body(Body::empty()).unwrap();
    assert_eq!(server.send(reconnect).await.first(count - 3).await, turn[3..]);
    let live = server.get(&format!("/events?after={count}")).await;
    let (live, next) = tokio::join!(live.first(count), server.turn("one two three"));
    assert_eq!(live, next);
    server.get("/events?after=1000").await.refused(400, "cursor_in_future").await;
    for wrong in ["-1", "x", "", "1.5"] {
        server.get(&format!("/events?after={wrong}")).await.refused(400, "invalid_request").await;
    }
}

#[tokio::test]
async fn a_cursor_that_has_expired_is_gone() {
    let mut config = ServerConfig::new(TokenDigest::of(TOKEN));
    config.replay.memory_bytes = 2_000;
    config.replay.total_bytes = 4_000;
    let server = Server::with(config);
    server.configure(1).await;
    let turn = TurnId::generate();
    let _: Accepted = server.query(turn, "@@stream 1000").await.expect(StatusCode::ACCEPTED).await;
    while server.get("/events").await.0.status() == StatusCode::OK {
        tokio::task::yield_now().await;
    }
    server.get("/events").await.refused(410, "cursor_expired").await;
}

#[tokio::test]
async fn silence_is_broken_by_a_sign_of_life() {
    let mut config = ServerConfig::new(TokenDigest::of(TOKEN));
    config.heartbeat = Duration::from_millis(20);
    let server = Server::with(config);
    let mut body = server.get("/events").await.0.into_body().into_data_stream();
    let since = std::time::Instant::now();
    for beat in 1..=3 {
        assert_eq!(body.next().await.unwrap().unwrap(), ": heartbeat\n\n");
        assert!(since.elapsed() >= beat * Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_request_is_answered_once() {
    let server = Server::configured().await;
    let turn = TurnId::generate();
    let _: Accepted = server.query(turn, "@@gate g").await.expect(StatusCode::ACCEPTED).await;
    let answer = json!({"request_id": "g", "decision": "allow"});
    server
        .post("/answer", json!({"request_id": "other", "decision": "allow"}))
        .await
        .refused(404, "unknown_request")
        .await;
    // The gate is reached some time after the query is accepted.
    loop {
        let events = server.get("/events").await.first(3).await;
        if events.iter().any(|event| matches!(event.body, EventBody::QuestionAsked { .. })) {
            break;
        }
    }
    assert_eq!(server.post("/answer", answer.clone()).await.0.status(), StatusCode::NO_CONTENT);
    assert_eq!(*outcome(&server.turn_of(turn).await), Outcome::Completed);
    server.post("/answer", answer).await.refused(404, "unknown_request").await;
}

#[tokio::test]
async fn settings_are_told_as_events() {
    let server = Server::configured().await;
    let settings = json!({"model": "m2", "permission_mode": "plan"});
    assert_eq!(server.post("/settings", settings).await.0.status(), StatusCode::NO_CONTENT);
    assert_eq!(server.post("/settings", json!({})).await.0.status(), StatusCode::NO_CONTENT);
    let events = server.get("/events").await.first(2).await;
    assert!(matches!(&events[0].body, EventBody::ModelChanged { model } if model == "m2"));
    assert!(matches!(events[1].body, EventBody::ModeChanged { .. }));
}

#[tokio::test]
async fn a_driver_that_breaks_off_does_not_leave_its_turn_open() {
    let server = Server::configured().await;
    let events = server.turn("@@say x\n@@vanish").await;
    assert!(matches!(outcome(&events), Outcome::Failed { reason: FailureReason::AgentError, .. }));
    server.query(TurnId::generate(), "x").await.refused(500, "internal").await;
}

#[tokio::test]
async fn the_end_of_the_server_ends_the_turn_and_the_streams() {
    let server = Server::configured().await;
    let turn = TurnId::generate();
    let _: Accepted = server.query(turn, "@@hang").await.expect(StatusCode::ACCEPTED).await;
    let stream = server.get("/events").await;
    let (events, ()) = tokio::join!(stream.events(), server.server.shutdown());
    assert!(matches!(outcome(&events), Outcome::Failed { reason: FailureReason::SessionStopped, .. }));
    server.server.shutdown().await;
    server.query(TurnId::generate(), "x").await.refused(500, "internal").await;
    let unconfigured = Server::new();
    unconfigured.server.shutdown().await;
    unconfigured.post("/configure", configuration(1)).await.refused(500, "internal").await;
}

#[tokio::test]
async fn many_readers_see_the_same() {
    let server = Server::configured().await;
    let turn = TurnId::generate();
    let count = 2_000 + 7;
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let router = server.router.clone();
            tokio::spawn(async move {
                let request = request("GET", "/events").body(Body::empty()).unwrap();
                Answer(router.oneshot(request).await.unwrap()).first(count).await.len()
            })
        })
        .collect();
    let _: Accepted = server.query(turn, "@@stream 2000").await.expect(StatusCode::ACCEPTED).await;
    let mut seen = HashSet::new();
    for reader in readers {
        seen.insert(tokio::time::timeout(Duration::from_secs(30), reader).await.unwrap().unwrap());
    }
    assert_eq!(seen.len(), 1);
}
