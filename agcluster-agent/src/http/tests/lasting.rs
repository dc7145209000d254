//! Acknowledging, liveness, steering, restarting.

use agcluster_protocol::Liveness;

use super::*;

impl Server {
    async fn liveness(&self) -> Liveness {
        self.get("/liveness").await.expect(StatusCode::OK).await
    }

    async fn acknowledge(&self, seq: u64) {
        let answer = self.post("/ack", json!({"generation": 1, "seq": seq})).await;
        assert_eq!(answer.0.status(), StatusCode::NO_CONTENT);
    }

    async fn live(&self, wanted: impl Fn(&Liveness) -> bool) -> Liveness {
        let waiting = async {
            loop {
                let liveness = self.liveness().await;
                if wanted(&liveness) {
                    return liveness;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap()
    }
}

fn steer(turn: TurnId, id: &str, text: &str) -> Value {
    json!({"id": id, "turn": turn, "generation": 1, "prompt": [{"type": "text", "text": text}]})
}

const FIRST: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const SECOND: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

/// A server that keeps little, and keeps it until it is acknowledged.
async fn small() -> Server {
    let mut config = ServerConfig::new(TokenDigest::of(TOKEN));
    config.replay.memory_bytes = 10_000;
    config.replay.total_bytes = 20_000;
    config.replay.unacknowledged_bytes = 100_000;
    let server = Server::with(config);
    let mut body = configuration(1);
    body["acknowledges"] = json!(true);
    let _: Configured = server.post("/configure", body).await.expect(StatusCode::OK).await;
    server
}

#[tokio::test]
async fn a_control_plane_that_was_away_finds_everything() {
    let server = small().await;
    let turn = TurnId::generate();
    let _: Accepted = server.query(turn, "@@stream 3000").await.expect(StatusCode::ACCEPTED).await;
    // Nobody reads, so the agent comes to wait, in the middle of its turn.
    let live = server.live(|live| live.events.held_back).await;
    assert!(live.turn.is_some_and(|is| is.id == turn) && live.events.newest < 3_000, "{live:?}");
    let mut seen: Vec<Event> = Vec::new();
    while !seen.last().is_some_and(Event::is_terminal) {
        let after = seen.len();
        let newest = server.liveness().await.events.newest;
        if newest as usize == after {
            tokio::task::yield_now().await;
            continue;
        }
        let more = server.get(&format!("/events?after={after}")).await.first(newest as usize - after).await;
        seen.extend(more);
        server.acknowledge(seen.len() as u64).await;
    }
    assert!(seen.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    let deltas = seen.iter().filter(|event| matches!(event.body, EventBody::TextDelta { .. })).count();
    assert_eq!((deltas, outcome(&seen)), (3_000, &Outcome::Completed));
    assert!(!server.liveness().await.events.held_back);
}

#[tokio::test]
async fn an_acknowledgement_must_make_sense() {
    let server = Server::new();
    server.post("/ack", json!({"generation": 1, "seq": 0})).await.refused(409, "not_configured").await;
    server.configure(1).await;
    let newest = server.turn("x").await.len();
    server.post("/ack", json!({"generation": 2, "seq": 1})).await.refused(409, "stale_generation").await;
    server
        .post("/ack", json!({"generation": 1, "seq": newest + 1}))
        .await
        .refused(400, "cursor_in_future")
        .await;
    server.post("/ack", json!({"generation": 1, "seq": -1})).await.refused(400, "invalid_request").await;
    server.acknowledge(2).await;
    server.acknowledge(1).await;
    assert_eq!(server.liveness().await.events.acknowledged, 2);
}

#[tokio::test]
async fn liveness_follows_what_happens() {
    let server = Server::new();
    let live = server.liveness().await;
    assert_eq!((live.phase, &live.session, &live.configured), (Phase::Unconfigured, &None, &None));
    let configured = server.configure(1).await;
    let live = server.liveness().await;
    assert_eq!((live.phase, live.generation, live.session.as_deref()), (Phase::Ready, Some(1), Some("s")));
    assert_eq!(live.configured, Some(configured));
    let turn = TurnId::generate();
    let _: Accepted = server.query(turn, "@@gate g").await.expect(StatusCode::ACCEPTED).await;
    let live = server.live(|live| !live.asked.is_empty()).await;
    assert_eq!((live.asked, live.turn.unwrap().id), (vec!["g".to_owned()], turn));
    let answer = json!({"request_id": "g", "decision": "allow"});
    assert_eq!(server.post("/answer", answer).await.0.status(), StatusCode::NO_CONTENT);
    server.turn_of(turn).await;
    let live = server.live(|live| live.turn.is_none()).await;
    assert_eq!(live.configured.unwrap().last_seq, live.events.newest);
    let health: Health = server.get("/health").await.expect(StatusCode::OK).await;
    assert_eq!(health.instance, live.instance);
    server.turn("@@clear").await;
    let cleared = server.liveness().await.configured.unwrap();
    let first: Configured = server.post("/configure", configuration(1)).await.expect(StatusCode::OK).await;
    assert_ne!(cleared.conversation, first.conversation);
}

#[tokio::test]
async fn a_prompt_is_added_once() {
    let server = Server::new();
    let turn = TurnId::generate();
    server.post("/steer", steer(turn, FIRST, "x")).await.refused(409, "not_configured").await;
    server.configure(1).await;
    server.post("/steer", steer(turn, FIRST, "x")).await.refused(409, "idle").await;
    let _: Accepted = server.query(turn, "@@listen\n@@listen").await.expect(StatusCode::ACCEPTED).await;
    let mut stale = steer(turn, FIRST, "x");
    stale["generation"] = json!(2);
    server.post("/steer", stale).await.refused(409, "stale_generation").await;
    let mut empty = steer(turn, FIRST, "x");
    empty["prompt"] = json!([]);
    server.post("/steer", empty).await.refused(400, "invalid_request").await;
    server.post("/steer", steer(turn, FIRST, "@@dance")).await.refused(400, "invalid_request").await;
    server.post("/steer", steer(turn, "x", "x")).await.refused(400, "invalid_request").await;
    server.post("/steer", steer(TurnId::generate(), FIRST, "x")).await.refused(409, "idle").await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let added: Accepted =
            server.post("/steer", steer(turn, FIRST, "one")).await.expect(StatusCode::ACCEPTED).await;
        answers.push(added);
    }
    assert_eq!(answers[0], answers[1]);
    let _: Accepted =
        server.post("/steer", steer(turn, SECOND, "two")).await.expect(StatusCode::ACCEPTED).await;
    let events = server.turn_of(turn).await;
    let added: Vec<&Event> =
        events.iter().filter(|event| matches!(event.body, EventBody::PromptAdded { .. })).collect();
    assert_eq!((added.len(), added[0].seq), (2, answers[0].after + 1));
    assert_eq!(*outcome(&events), Outcome::Completed);
    let late: Accepted =
        server.post("/steer", steer(turn, FIRST, "one")).await.expect(StatusCode::ACCEPTED).await;
    assert_eq!(late, answers[0]);
}

#[tokio::test]
async fn the_program_is_started_again_by_order() {
    let server = Server::new();
    let order = json!({"generation": 1});
    server.post("/restart-program", order.clone()).await.refused(409, "not_configured").await;
    let configured = server.configure(1).await;
    server.post("/restart-program", json!({"generation": 2})).await.refused(409, "stale_generation").await;
    server.turn("one").await;
    let turn = TurnId::generate();
    let _: Accepted = server.query(turn, "@@stall model").await.expect(StatusCode::ACCEPTED).await;
    server.live(|live| live.model.is_some_and(|model| model.open_requests == 1)).await;
    let again: Configured = server.post("/restart-program", order).await.expect(StatusCode::OK).await;
    assert_eq!((again.agent, again.conversation), (configured.agent, configured.conversation));
    let events = server.turn_of(turn).await;
    assert!(matches!(outcome(&events), Outcome::Failed { reason: FailureReason::AgentRestarted, .. }));
    let recalled = server.turn("@@recall").await;
    let text = recalled.iter().find_map(|event| match &event.body {
        EventBody::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(text, Some(r#"["one","@@stall model"]"#));
}

#[tokio::test]
async fn a_program_that_is_given_up_shows_in_health() {
    let server = Server::configured().await;
    for _ in 0..5 {
        server.turn("@@die").await;
    }
    let live = server.live(|live| live.phase == Phase::Failed).await;
    assert!(live.program.unwrap().problem.is_some_and(|problem| problem.contains("5 times")));
    let health: Health = server.get("/health").await.expect(StatusCode::OK).await;
    assert_eq!(health.phase, Phase::Failed);
    assert_eq!(*outcome(&server.turn("@@say on").await), Outcome::Completed);
    assert_eq!(server.liveness().await.phase, Phase::Ready);
}

#[tokio::test]
async fn a_configuration_may_hold_a_long_conversation_but_not_any() {
    let text = "x".repeat(1 << 20);
    let entries: Vec<Value> = (0..60).map(|_| json!({"type": "user", "text": text})).collect();
    let mut body = configuration(1);
    body["resume"] = json!("c");
    body["transcript"] = json!([{"path": ".scripted/c.jsonl", "entries": entries}]);
    let server = Server::new();
    let _: Configured = server.post("/configure", body).await.expect(StatusCode::OK).await;
    let recalled = server.turn("@@recall").await;
    assert_eq!(*outcome(&recalled), Outcome::Completed);
    let endless = Body::from_stream(futures::stream::iter(
        (0..140).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20])),
    ));
    server.send(request("POST", "/configure").body(endless).unwrap()).await.refused(413, "too_large").await;
    let out = json!({"session": "s", "generation": 1, "driver": "scripted", "resume": "c",
        "transcript": [{"path": "../x", "entries": []}]});
    Server::new().post("/configure", out).await.refused(400, "invalid_request").await;
}
